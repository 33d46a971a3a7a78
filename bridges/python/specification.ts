/**
 * What names a Python application. `child.py` imports it.
 *
 * @module
 */

/** The forms of a specification, for messages. */
export const FORMS = "MODULE, MODULE:NAME or MODULE:FACTORY(...)";

const SPEC = /^[^\s:()/]+(?::[^\W\d][\w.]*(?:\(.*\))?)?$/s;

/** Whether a text has one of the forms. */
export function isSpecification(text: string): boolean {
  return SPEC.test(text);
}
