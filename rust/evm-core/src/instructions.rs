//! The instructions that differ from revm's: KECCAK256, products and quotients (arithmetic.rs), and SSTORE by the rules of
//! Constantinople.
//!
//! KECCAK256 has a memo and no hook: revm hashes through alloy's `native_keccak256`, an import even where this module defines it, so each
//! hash would cross to JavaScript and back (8 ns); and Solidity hashes the same 64 bytes again and again.
//! Constantinople is Petersburg with the net gas metering of EIP-1283, for which revm has no rule set.

use crate::amsterdam::Dialect;
use crate::handler::KernelContext;
use crate::keccak::Memo;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::instructions::contract;
use revm::interpreter::instructions::host::sstore_with_gas_accounting;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{LoopControl, StackTr};
use revm::interpreter::{
    FrameInput, Instruction, InstructionContext, InstructionExecResult, InstructionResult, InterpreterAction,
};
use revm::context_interface::Host;
use revm::primitives::{KECCAK_EMPTY, U256};

const KECCAK256: u8 = 0x20;
const SSTORE: u8 = 0x55;
const CREATE: u8 = 0xf0;
const CREATE2: u8 = 0xf5;
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
    crate::arithmetic::install(instructions);
    if dialect != Dialect::Own {
        for opcode in [EXTCODESIZE, EXTCODECOPY] {
            let instruction = instructions.instruction_table()[opcode as usize];
            instructions.insert_instruction(opcode, instruction, EXTCODE_GAS);
        }
    }
    if dialect == Dialect::BalDevnet4 {
        let gas = instructions.gas_table()[SSTORE as usize];
        instructions.insert_instruction(SSTORE, Instruction::new(sstore_with_state_gas), gas);
        instructions.insert_instruction(CREATE, Instruction::new(create::<false>), 0);
        instructions.insert_instruction(CREATE2, Instruction::new(create::<true>), 0);
    }
    // SAFETY: one thread an instance.
    unsafe { OWN_SSTORE = net_metering || dialect == Dialect::BalDevnet4 };
    if net_metering {
        let gas = instructions.gas_table()[SSTORE as usize];
        instructions.insert_instruction(SSTORE, Instruction::new(sstore), gas);
    }
}

static mut OWN_SSTORE: bool = false;

/// True where SSTORE is the one of the table.
pub fn is_own_sstore() -> bool {
    // SAFETY: one thread an instance.
    unsafe { OWN_SSTORE }
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

/// SSTORE as in revm, but for what comes back of gas for state (`Dialect::BalDevnet4`).
fn sstore_with_state_gas(context: InstructionContext<'_, KernelContext, EthInterpreter>) -> InstructionExecResult {
    sstore_with_gas_accounting(context, |context, _, load| {
        let KernelContext { cfg, journaled_state, .. } = &mut *context.host;
        let (params, gas) = (&cfg.gas_params, &mut context.interpreter.gas);
        if !gas.record_regular_cost(params.sstore_dynamic_gas(true, &load.data, load.is_cold))
            || !gas.record_state_cost(params.sstore_state_gas(&load.data))
        {
            return Err(InstructionResult::OutOfGas);
        }
        let refill = params.sstore_state_gas_refill(&load.data);
        if refill > 0 {
            journaled_state.state_gas.refill(gas.tracker_mut(), refill);
        }
        gas.record_refund(params.sstore_refund(true, &load.data));
        Ok(())
    })
}

/// CREATE and CREATE2 where the account is paid for before anything is asked of it (`Dialect::BalDevnet4`): revm's as it
/// is without gas for state, and that gas around it.
fn create<const IS_CREATE2: bool>(
    context: InstructionContext<'_, KernelContext, EthInterpreter>,
) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let before = *interpreter.gas.tracker();
    if !interpreter.gas.record_state_cost(host.cfg.gas_params.create_state_gas()) {
        return Err(InstructionResult::OutOfGas);
    }
    host.cfg.enable_amsterdam_eip8037 = false;
    let inner = InstructionContext { interpreter: &mut *interpreter, host: &mut *host };
    let result = contract::create::<IS_CREATE2, _, _>(inner);
    host.cfg.enable_amsterdam_eip8037 = true;
    match interpreter.bytecode.action() {
        Some(InterpreterAction::NewFrame(FrameInput::Create(inputs))) => inputs.set_charged_create_state_gas(true),
        // Other gas ran out first, so none of this was taken.
        _ => *interpreter.gas.tracker_mut() = before,
    }
    result
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
