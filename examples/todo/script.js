// Another page has changed the list.
new EventSource("/changes").onmessage = () => location.reload();
