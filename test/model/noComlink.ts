/** Stands for comlink in a model build: what a worker exposes is called directly. */

let exposed: unknown

export const expose = (api: unknown): void => {
  exposed = api
}

/** What the worker exposed. */
export const taken = (): unknown => exposed

const nodeEndpoint = (port: unknown): unknown => port

export { nodeEndpoint as default }
