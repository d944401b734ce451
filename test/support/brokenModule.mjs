/** A module whose factory throws. */
export default function broken() {
  throw new Error('no machine today')
}
