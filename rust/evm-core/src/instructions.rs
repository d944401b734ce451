//! The instructions that differ from revm's: KECCAK256, and SSTORE by the rules of Constantinople.
//!
//! KECCAK256 has a memo and no hook: revm hashes through alloy's `native_keccak256`, an import even where this module defines it, so each
//! hash would cross to JavaScript and back (8 ns); and Solidity hashes the same 64 bytes again and again.
//! Constantinople is Petersburg with the net gas metering of EIP-1283, for which revm has no rule set.

use crate::amsterdam::Dialect;
use crate::handler::KernelContext;
use crate::keccak::Memo;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::instructions::host::sstore_with_gas_accounting;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::StackTr;
use revm::interpreter::{Instruction, InstructionContext, InstructionExecResult, InstructionResult};
use revm::context_interface::Host;
use revm::primitives::{KECCAK_EMPTY, U256};

const KECCAK256: u8 = 0x20;
const SSTORE: u8 = 0x55;
const EXTCODESIZE: u8 = 0x3b;
const EXTCODECOPY: u8 = 0x3c;

/// What both cost before EIP-8038, the account being warm.
const EXTCODE_GAS: u16 = 100;

static mut MEMO: Memo = Memo::new();

fn memo() -> &'static mut Memo {
    // SAFETY: one thread an instance; the reference does not outlive the instruction.
    unsafe { &mut *(&raw mut MEMO) }
}

/// Empties the memo: a block does not run on what an earlier one learned.
pub fn forget() {
    memo().clear();
}

/// Puts the own instructions into the table, and prices of a dialect; SSTORE only where its gas is metered net.
pub fn install(
    instructions: &mut EthInstructions<EthInterpreter, KernelContext>,
    net_metering: bool,
    dialect: Dialect,
) {
    let gas = instructions.gas_table()[KECCAK256 as usize];
    instructions.insert_instruction(KECCAK256, Instruction::new(keccak256), gas);
    if dialect != Dialect::Own {
        for opcode in [EXTCODESIZE, EXTCODECOPY] {
            let instruction = instructions.instruction_table()[opcode as usize];
            instructions.insert_instruction(opcode, instruction, EXTCODE_GAS);
        }
    }
    // SAFETY: one thread an instance.
    unsafe { NET_METERING = net_metering };
    if net_metering {
        let gas = instructions.gas_table()[SSTORE as usize];
        instructions.insert_instruction(SSTORE, Instruction::new(sstore), gas);
    }
}

static mut NET_METERING: bool = false;

/// True where SSTORE is the one of the table.
pub fn is_net_metering() -> bool {
    // SAFETY: one thread an instance.
    unsafe { NET_METERING }
}

/// EIP-1283. EIP-2200, which revm has, is its table without the stipend check, with other numbers
/// (`input.rs`); so gas and refund are asked of the rules of Istanbul.
fn sstore(context: InstructionContext<'_, KernelContext, EthInterpreter>) -> InstructionExecResult {
    sstore_with_gas_accounting(context, |context, _, load| {
        let params = context.host.gas_params();
        let cost = params.sstore_dynamic_gas(true, &load.data, false);
        let refund = params.sstore_refund(true, &load.data);
        if !context.interpreter.gas.record_regular_cost(cost) {
            return Err(InstructionResult::OutOfGas);
        }
        context.interpreter.gas.record_refund(refund);
        Ok(())
    })
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
