//! MUL, DIV, MOD, MULMOD and EXP by rust/u256, which knows that WebAssembly multiplies 64 bits to 64 bits at best.
//!
//! Yellow Paper, appendix H. Order of checks as in revm's own.

use crate::handler::KernelContext;
use revm::context_interface::Host;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::StackTr;
use revm::interpreter::{Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::primitives::U256;

type Context<'a> = InstructionContext<'a, KernelContext, EthInterpreter>;

/// What the topmost `N` numbers and the one below them, whose place the result takes, come to.
#[inline(always)]
fn replace<const N: usize>(context: Context<'_>, of: impl FnOnce([U256; N], &U256) -> U256) -> InstructionExecResult {
    let Some((popped, top)) = StackTr::popn_top::<N>(&mut context.interpreter.stack) else {
        return Err(InstructionResult::StackUnderflow);
    };
    *top = of(popped, top);
    Ok(())
}

#[inline(never)]
pub fn mul(context: Context<'_>) -> InstructionExecResult {
    replace(context, |[a], b| u256::mul(&a, b))
}

#[inline(never)]
pub fn div(context: Context<'_>) -> InstructionExecResult {
    replace(context, |[a], b| u256::div(&a, b))
}

#[inline(never)]
fn rem(context: Context<'_>) -> InstructionExecResult {
    replace(context, |[a], b| u256::rem(&a, b))
}

#[inline(never)]
pub fn mulmod(context: Context<'_>) -> InstructionExecResult {
    replace(context, |[a, b], modulus| u256::mul_mod(&a, &b, modulus))
}

#[inline(never)]
fn exp(context: Context<'_>) -> InstructionExecResult {
    let interpreter = context.interpreter;
    let Some(([base], top)) = StackTr::popn_top::<1>(&mut interpreter.stack) else {
        return Err(InstructionResult::StackUnderflow);
    };
    if !interpreter.gas.record_regular_cost(context.host.gas_params().exp_cost(*top)) {
        return Err(InstructionResult::OutOfGas);
    }
    *top = u256::pow(&base, top);
    Ok(())
}

/// Puts them into the table; the loop calls the common ones directly.
pub fn install(instructions: &mut EthInstructions<EthInterpreter, KernelContext>) {
    type Own = fn(Context<'_>) -> InstructionExecResult;
    let own: [(u8, Own); 5] = [(0x02, mul), (0x04, div), (0x06, rem), (0x09, mulmod), (0x0a, exp)];
    for (opcode, function) in own {
        let gas = instructions.gas_table()[opcode as usize];
        instructions.insert_instruction(opcode, Instruction::new(function), gas);
    }
}
