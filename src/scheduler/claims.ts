/** How large claims are: as many short tasks as fill a little time, and long ones singly. */

/** Aim of a claim, in milliseconds: long tasks are claimed singly, so that neighbours that conflict do not run apart. */
export const CLAIM_MILLISECONDS = 0.06

/**
 * Most places a claim takes, rows apart (docs/algorithm.md D13). Larger ones save an addition each; but a writer walks past
 * what the others wrote to its location in the places above, up to a claim of each.
 */
export const LARGEST_CHUNK = 24
