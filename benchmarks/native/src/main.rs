//! `native FILE`: loads the block of a file, and for each line on stdin runs it once and answers with a line of JSON:
//! `{"ms": 3.41, "gas": 105000000}`. It waits between runs, so that whoever asks can measure something else in turn.
//!
//! The driver is the fastest that revm offers for a block: one EVM on a `CacheDB` that holds all of the state, each
//! transaction committed to it. Keeping everything in the journal, `transact_one` and `finalize` at the end, takes as long
//! for real blocks and a fifth longer for many small transactions.

mod block;

use revm::{Context, ExecuteCommitEvm, MainBuilder, MainContext};
use std::hint::black_box;
use std::io::BufRead;
use std::time::Instant;

fn main() {
    let path = std::env::args().nth(1).expect("the path of a block file");
    let block = block::read(&path);
    for line in std::io::stdin().lock().lines() {
        line.expect("stdin");
        let (ms, gas) = run(&block);
        println!("{{\"ms\": {ms}, \"gas\": {gas}}}");
    }
}

/// Milliseconds and gas of all transactions on a state as it was before the block.
fn run(block: &block::Block) -> (f64, u64) {
    let state = block.state.clone();
    let mut gas = 0;
    let began = Instant::now();
    let context = Context::mainnet().with_db(state).with_cfg(block.cfg.clone()).with_block(block.env.clone());
    let mut evm = context.build_mainnet();
    for transaction in &block.transactions {
        let result = evm.transact_commit(transaction.clone());
        gas += black_box(result.expect("a valid transaction")).tx_gas_used();
    }
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    (ms, gas)
}
