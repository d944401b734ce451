//! The one instruction that differs from revm's: KECCAK256 with the memo and without the hook.
//!
//! revm hashes through alloy's `native_keccak256`, an import even where this module defines it, so each
//! hash would cross to JavaScript and back (8 ns); and Solidity hashes the same 64 bytes again and again.

use crate::handler::KernelContext;
use crate::keccak::Memo;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::StackTr;
use revm::interpreter::{Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::context_interface::Host;
use revm::primitives::{KECCAK_EMPTY, U256};

const KECCAK256: u8 = 0x20;

static mut MEMO: Memo = Memo::new();

fn memo() -> &'static mut Memo {
    // SAFETY: one thread an instance; the reference does not outlive the instruction.
    unsafe { &mut *(&raw mut MEMO) }
}

/// Empties the memo: a block does not run on what an earlier one learned.
pub fn forget() {
    memo().clear();
}

pub fn install(instructions: &mut EthInstructions<EthInterpreter, KernelContext>) {
    let gas = instructions.gas_table()[KECCAK256 as usize];
    instructions.insert_instruction(KECCAK256, Instruction::new(keccak256), gas);
}

fn small(value: &U256) -> Option<usize> {
    let limbs = value.as_limbs();
    if limbs[1] | limbs[2] | limbs[3] != 0 {
        return None;
    }
    usize::try_from(limbs[0]).ok()
}

/// Yellow Paper, appendix H, 0x20. The same order of checks as revm's own.
pub fn keccak256(context: InstructionContext<'_, KernelContext, EthInterpreter>) -> InstructionExecResult {
    let interpreter = context.interpreter;
    let Some(([offset], top)) = StackTr::popn_top::<1>(&mut interpreter.stack) else {
        return Err(InstructionResult::StackUnderflow);
    };
    let length = small(top).ok_or(InstructionResult::InvalidOperandOOG)?;
    let params = context.host.gas_params();
    if !interpreter.gas.record_regular_cost(params.keccak256_cost(length)) {
        return Err(InstructionResult::OutOfGas);
    }
    *top = if length == 0 {
        KECCAK_EMPTY.into()
    } else {
        let from = small(&offset).ok_or(InstructionResult::InvalidOperandOOG)?;
        revm::interpreter::interpreter::resize_memory(&mut interpreter.gas, &mut interpreter.memory, params, from, length)?;
        U256::from_be_bytes(memo().keccak256(&interpreter.memory.slice_len(from, length)))
    };
    Ok(())
}
