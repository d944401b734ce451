/** comlink ships its adapter for Node without types where its export map points. */
declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { Endpoint } from 'comlink'

  const nodeEndpoint: (worker: unknown) => Endpoint

  export { nodeEndpoint as default }
}
