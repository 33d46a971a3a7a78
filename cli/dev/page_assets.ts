/**
 * Style and script of the page of an error.
 *
 * @module
 */

/** The style: one column that fits a phone, light or dark as the system is. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1c1b1f; --soft: #5f5b66; --back: #fbfaf8; --card: #fff; --line: #e2ded8;
  --red: #b3261e; --mark: #fde8e6; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e4de; --soft: #a39e97; --back: #161513; --card: #201e1b;
  --line: #38342f; --red: #ff8a80; --mark: #4a2320; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
header { border-left: .3rem solid var(--red); padding-left: .8rem; margin-bottom: 1.5rem; }
h1, h2 { font-size: 1.35rem; line-height: 1.3; margin: .2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; }
.name { color: var(--red); }
.message { white-space: pre-wrap; font-weight: 500; }
.request { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
.cause { margin: 1.5rem 0 0; color: var(--soft); }
code, pre, td, .where { font-family: ui-monospace, monospace; font-size: .875rem; }
.frames { list-style: none; margin: 1rem 0; padding: 0; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); overflow: hidden; }
.frames li + li { border-top: 1px solid var(--line); }
summary, .frame { padding: .5rem .8rem; margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; }
.call { font-weight: 600; }
.where { color: var(--soft); }
.others > details > summary, .other .call { font-weight: 400; color: var(--soft); }
.others ol { list-style: none; margin: 0; padding: 0 0 0 1rem; border-top: 1px solid var(--line); }
pre { margin: 0; padding: .5rem 0 .8rem; overflow-x: auto; border-top: 1px solid var(--line); line-height: 1.5;
  tab-size: 2; padding-left: .8rem; }
mark { background: var(--mark); color: inherit; display: inline-block; min-width: 100%; }
.number { color: var(--soft); user-select: none; }
.facts { margin: 1rem 0; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 500; color: var(--soft); width: 30%; }
#changed { position: sticky; top: .5rem; margin: 0 0 1rem; padding: .6rem .8rem; border-radius: .5rem;
  background: var(--text); color: var(--back); }
footer { color: var(--soft); font-size: .875rem; }
`;

/**
 * The script: asks which worker serves, and loads the page anew when it is another one. A question fails while the server
 * starts, or when it has ended; then the script asks again.
 */
export const SCRIPT = `
const { worker, poll, reload } = document.body.dataset;
const note = document.getElementById("changed");
async function ask() {
  try {
    const response = await fetch(poll, { cache: "no-store" });
    const serving = response.ok ? await response.text() : worker;
    if (serving !== worker) {
      note.hidden = false;
      if (reload === "yes") {
        note.textContent = "The code has changed. Loading this page again.";
        return location.reload();
      }
      note.textContent = "The code has changed. Send the form again to see what it does now.";
      return;
    }
  } catch {}
  setTimeout(ask, 1000);
}
setTimeout(ask, 1000);
`;
