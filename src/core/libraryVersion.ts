/** Version of this library, which traces name. A test compares it with package.json. */
export const LIBRARY_VERSION = '0.1.0'
