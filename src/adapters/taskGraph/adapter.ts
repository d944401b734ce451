import type { SyncAdapter } from '../../core/contracts.ts'
export const createTaskAdapter = async (_module: string): Promise<SyncAdapter> => {
  throw new Error('not yet')
}
