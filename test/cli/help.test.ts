/** Every command tells what it takes, what it answers programs with, and how it ends. */
import { describe, expect, test } from 'vitest'
import { blockloom } from './command.ts'

/** Commands that print what a program would read; the others write a file. */
const PRINTING = ['run', 'demo', 'chain', 'conformance', 'explain', 'simulate', 'crosscheck']
const WRITING = ['trace', 'report']

const commandsOf = (help: string): string[] =>
  [...help.slice(help.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name as string)

test('the help of the command names all of them, and what the exit codes say', async () => {
  const { code, stdout, stderr } = await blockloom(['--help'])
  expect([code, stderr]).toEqual([0, ''])
  expect(commandsOf(stdout).sort()).toEqual([...PRINTING, ...WRITING, 'help'].sort())
  expect(stdout).toMatch(/Exit codes: 0 right, 1 .*, 2 .*, 130 interrupted/s)
})

describe.each([...PRINTING, ...WRITING])('%s', (name) => {
  test('has help', async () => {
    const { code, stdout, stderr } = await blockloom([name, '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`Usage: blockloom ${name} [options]`)
    expect(stdout).toContain(PRINTING.includes(name) ? '--json ' : '--out <file>')
    expect(stdout).toMatch(/Exit codes: 0 right/)
  })

  test('refuses an unknown option with one line and exit code 2', async () => {
    const ended = await blockloom([name, ...(WRITING.includes(name) ? ['--out', 'x'] : []), '--nonsense'])
    expect(ended).toEqual({ code: 2, signal: null, stdout: '', stderr: "blockloom: unknown option '--nonsense'\n" })
  })
})

test('an unknown command costs one line and exit code 2, none at all the help on stderr', async () => {
  expect(await blockloom(['nonsense'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: "blockloom: unknown command 'nonsense'\n",
  })
  expect(await blockloom([])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Commands:') })
})
