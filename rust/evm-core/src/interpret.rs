//! The interpreter loop, with the common instructions called directly.
//!
//! revm dispatches through a table. In WebAssembly each such call checks a bound and a signature (3 ns) and
//! cannot be inlined; a `match` becomes one jump table with the small instructions inlined into the loop.
//! Nearly all functions are revm's own, so what an instruction does and costs is revm's; rare ones use the table.
//! Figures: docs/performance.md, "Dispatch".

use crate::handler::KernelContext;
use revm::handler::instructions::EthInstructions;
use revm::interpreter::instructions::{arithmetic, bitwise, control, host, memory, stack, system, tx_info};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{Jumps, LoopControl};
use revm::interpreter::{InstructionContext, InstructionResult, Interpreter, InterpreterAction};

/// Runs a frame's code until it stops, calls or fails.
pub fn run(
    interpreter: &mut Interpreter<EthInterpreter>,
    instructions: &EthInstructions<EthInterpreter, KernelContext>,
    context: &mut KernelContext,
) -> InterpreterAction {
    let table = instructions.instruction_table();
    let gas_table = instructions.gas_table();
    let own_sstore = crate::instructions::is_own_sstore();
    let end = loop {
        let opcode = interpreter.bytecode.opcode();
        interpreter.bytecode.relative_jump(1);
        if interpreter.gas.record_cost_unsafe(u64::from(gas_table[opcode as usize])) {
            break InstructionResult::OutOfGas;
        }
        let cx = InstructionContext { interpreter: &mut *interpreter, host: &mut *context };
        let result = match opcode {
            0x01 => arithmetic::add(cx),
            0x02 => crate::arithmetic::mul(cx),
            0x03 => arithmetic::sub(cx),
            0x04 => crate::arithmetic::div(cx),
            0x09 => crate::arithmetic::mulmod(cx),
            0x10 => bitwise::lt(cx),
            0x11 => bitwise::gt(cx),
            0x12 => bitwise::slt(cx),
            0x14 => bitwise::eq(cx),
            0x15 => bitwise::iszero(cx),
            0x16 => bitwise::bitand(cx),
            0x17 => bitwise::bitor(cx),
            0x19 => bitwise::not(cx),
            0x1b => bitwise::shl(cx),
            0x1c => bitwise::shr(cx),
            0x20 => crate::instructions::keccak256(cx),
            0x30 => system::address(cx),
            0x33 => system::caller(cx),
            0x34 => system::callvalue(cx),
            0x35 => system::calldataload(cx),
            0x36 => system::calldatasize(cx),
            0x37 => system::calldatacopy(cx),
            0x3d => system::returndatasize(cx),
            0x50 => stack::pop(cx),
            0x51 => memory::mload(cx),
            0x52 => memory::mstore(cx),
            0x53 => memory::mstore8(cx),
            0x54 => host::sload(cx),
            0x55 if !own_sstore => host::sstore(cx),
            0x56 => control::jump(cx),
            0x57 => control::jumpi(cx),
            0x5a => system::gas(cx),
            0x5b => control::jumpdest(cx),
            0x5f => stack::push0(cx),
            0x60 => stack::push::<1, _, _>(cx),
            0x61 => stack::push::<2, _, _>(cx),
            0x62 => stack::push::<3, _, _>(cx),
            0x63 => stack::push::<4, _, _>(cx),
            0x67 => stack::push::<8, _, _>(cx),
            0x73 => stack::push::<20, _, _>(cx),
            0x7f => stack::push::<32, _, _>(cx),
            0x80 => stack::dup::<1, _, _>(cx),
            0x81 => stack::dup::<2, _, _>(cx),
            0x82 => stack::dup::<3, _, _>(cx),
            0x83 => stack::dup::<4, _, _>(cx),
            0x84 => stack::dup::<5, _, _>(cx),
            0x85 => stack::dup::<6, _, _>(cx),
            0x86 => stack::dup::<7, _, _>(cx),
            0x87 => stack::dup::<8, _, _>(cx),
            0x88 => stack::dup::<9, _, _>(cx),
            0x89 => stack::dup::<10, _, _>(cx),
            0x90 => stack::swap::<1, _, _>(cx),
            0x91 => stack::swap::<2, _, _>(cx),
            0x92 => stack::swap::<3, _, _>(cx),
            0x93 => stack::swap::<4, _, _>(cx),
            0x94 => stack::swap::<5, _, _>(cx),
            0x95 => stack::swap::<6, _, _>(cx),
            0x96 => stack::swap::<7, _, _>(cx),
            0x97 => stack::swap::<8, _, _>(cx),
            0x32 => tx_info::origin(cx),
            _ => table[opcode as usize].execute(cx),
        };
        if let Err(end) = result {
            break end;
        }
    };
    if interpreter.bytecode.action().is_none() {
        interpreter.halt(end);
    }
    interpreter.take_next_action()
}
