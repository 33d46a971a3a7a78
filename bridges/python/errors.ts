/**
 * The errors of the bridge to Python.
 *
 * @module
 */

/** The Python application failed. The message is its traceback. */
export class PythonError extends Error {
  /** Name of the class. */
  override readonly name = "PythonError";

  /** Takes the traceback. Its own stack would only show the bridge. */
  constructor(traceback: string) {
    super(traceback.trimEnd());
    this.stack = this.message;
  }
}

/** No Python process can load the application: Python is missing, or the import failed. */
export class PythonLoadError extends Error {
  /** Name of the class. */
  override readonly name = "PythonLoadError";
  /** Why not: a traceback, or a sentence. */
  readonly reason: string;

  /** Says which application, and why not. */
  constructor(application: string, reason: string) {
    super(`Cannot load the Python application ${application}: ${reason.trimEnd()}`);
    this.reason = reason.trimEnd();
    this.stack = this.message;
  }
}

/** A Python process ended, or was ended, before its response was complete. */
export class PythonProcessError extends Error {
  /** Name of the class. */
  override readonly name = "PythonProcessError";
}
