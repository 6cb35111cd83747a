// The OAuth libraries of JavaScript, as they are, against a token service:
//
//   node src/main.js openid-client|oauth4webapi|jose
//
// The first line on standard input is what was registered; what the program says on
// standard output is what came of it, or what it asks of a person (see dialogue.js).

import { Dialogue } from './dialogue.js'

const PROGRAMS = ['openid-client', 'oauth4webapi', 'jose']

const name = process.argv[2]
if (!PROGRAMS.includes(name)) throw new Error(`there are: ${PROGRAMS.join(', ')}`)
const { run } = await import(`./${name}.js`)
const dialogue = new Dialogue()
await run(await dialogue.registered(), dialogue)
dialogue.close()
