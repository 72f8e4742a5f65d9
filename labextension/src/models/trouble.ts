/**
 * Owns how an error is told to a person: by what it says.
 */

export function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
