/** Event type names: in filters and here, `. _ - : /` are one separator. */

export const foldName = (type: string): string => type.toLowerCase().replace(/[._\-:/]/g, ".");

/** The words of a type, for people: `git.branch_created` → `git branch created`. */
export const spokenName = (type: string): string => type.replace(/[._\-:/]+/g, " ").trim();
