#!/usr/bin/env node
process.stdout.write('blockloom\n')
