//! revm's mainnet handler with three steps of its own: the sender is checked by predicate, the fee
//! recipient is left alone, and each frame's payer is observed before it begins.

use crate::amsterdam::{self, Dialect};
use crate::fees::{self, Vaults};
use crate::host::{Abort, HostDb};
use crate::journal::WatchedJournal;
use crate::observe::flag;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use revm::context::result::{EVMError, HaltReason, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::context_interface::context::ContextError;
use revm::context_interface::journaled_state::account::JournaledAccountTr;
use revm::context_interface::journaled_state::JournalCheckpoint;
use revm::context_interface::cfg::gas_params::Eip2780TxInfo;
use revm::context_interface::{Block, Cfg, ContextTr, JournalTr, LocalContextTr, Transaction};
use revm::handler::execution::{create_init_frame, runtime_oog_unwind};
use revm::handler::pre_execution::{apply_eip7702_auth_list, calculate_caller_fee, validate_account_nonce_and_code};
use revm::handler::validation::validate_initial_tx_gas_with_gas_params;
use revm::handler::{EvmTr, FrameResult, Handler, ItemOrResult, MainnetEvm};
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{
    CallOutcome, FrameInput, Gas, GasTracker, InitialAndFloorGas, InstructionResult, InterpreterResult,
    SharedMemory,
};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, TxKind, U256};

pub type KernelContext = Context<BlockEnv, TxEnv, CfgEnv, HostDb, WatchedJournal, ()>;
pub type KernelEvm = MainnetEvm<KernelContext>;
pub type KernelError = EVMError<Abort, InvalidTransaction>;

/// `strict` compares the sender's nonce with the state; otherwise the transaction's own nonce is taken
/// for granted and left to the host as a predicate, so that one sender's transactions run in parallel.
pub struct KernelHandler<'a> {
    pub strict: bool,
    pub vaults: &'a Vaults,
    /// What the sender pays for the transaction's data, before it runs.
    pub data_fee: U256,
}

impl KernelHandler<'_> {
    /// A frame that creates with value asks its caller's balance inside revm, unseen; ask it here before.
    fn observe_payer(evm: &mut KernelEvm, init: &FrameInit) -> Result<(), KernelError> {
        if let FrameInput::Create(inputs) = &init.frame_input {
            if !inputs.value().is_zero() {
                let (caller, value): (Address, U256) = (inputs.caller(), inputs.value());
                evm.ctx.journaled_state.observe_at_least(caller, value).map_err(EVMError::Database)?;
            }
        }
        Ok(())
    }

    /// A call of an account without code that is no precompile; nothing where it is anything else.
    fn plain_transfer(evm: &mut KernelEvm, gas: &GasTracker) -> Result<Option<FrameResult>, KernelError> {
        let TxKind::Call(to) = evm.ctx.tx.kind else { return Ok(None) };
        // There a payment may have to pay for the account of its recipient.
        if evm.ctx.cfg.enable_amsterdam_eip2780 {
            return Ok(None);
        }
        let journal = &mut evm.ctx.journaled_state;
        // Loading is what the first frame's input does too, so a longer way loses nothing.
        let account = &journal.inner.load_account_with_code(to)?.data.info;
        if !account.code.as_ref().is_some_and(|code| code.is_empty()) || evm.precompiles.contains(&to) {
            return Ok(None);
        }
        // Settles the checkpoint of the runtime gas phase, then opens the frame's.
        journal.checkpoint_commit();
        let checkpoint = journal.checkpoint();
        let result = match journal.transfer_loaded(evm.ctx.tx.caller, to, evm.ctx.tx.value) {
            None => {
                journal.checkpoint_commit();
                InstructionResult::Stop
            }
            Some(error) => {
                journal.checkpoint_revert(checkpoint);
                error.into()
            }
        };
        if let Some(abort) = journal.pending.take() {
            return Err(EVMError::Database(abort));
        }
        Ok(Some(FrameResult::Call(CallOutcome {
            result: InterpreterResult {
                result,
                gas: Gas::new_with_regular_gas_and_reservoir(gas.remaining(), gas.reservoir()),
                output: Bytes::new(),
            },
            memory_offset: 0..0,
            was_precompile_called: false,
            precompile_call_logs: Vec::new(),
            charged_new_account_state_gas: false,
        })))
    }

    /// Runs the top frame until it needs something: revm's `frame_run` with this kernel's loop.
    fn run_frame(evm: &mut KernelEvm) -> Result<ItemOrResult<FrameInit, FrameResult>, KernelError> {
        let frame = evm.frame_stack.get();
        let action = crate::interpret::run(&mut frame.interpreter, &evm.instruction, &mut evm.ctx);
        if evm.ctx.journaled_state.dialect == Dialect::BalDevnet4 {
            evm.ctx.journaled_state.state_gas.pause(frame.interpreter.gas.tracker_mut());
        }
        let next = frame.process_next_action::<_, ContextError<Abort>>(&mut evm.ctx, action)?;
        if next.is_result() {
            frame.set_finished(true);
        }
        Ok(next)
    }

    fn lack_of_funds(&self, balance: U256, wanted: U256) -> InvalidTransaction {
        if self.data_fee.is_zero() {
            return InvalidTransaction::LackOfFundForMaxFee { fee: Box::new(wanted), balance: Box::new(balance) };
        }
        let fee = self.data_fee;
        format!("lack of funds ({balance}) for max fee and a data fee of {fee} ({wanted})").into()
    }

    fn settle_pending(evm: &mut KernelEvm) -> Result<(), KernelError> {
        match evm.ctx.journaled_state.pending.take() {
            Some(abort) => Err(EVMError::Database(abort)),
            None => Ok(()),
        }
    }
}

impl Handler for KernelHandler<'_> {
    type Evm = KernelEvm;
    type Error = KernelError;
    type HaltReason = HaltReason;

    /// revm's, and for the dialects that have it the state gas paid before the transaction begins.
    fn validate_initial_tx_gas(&self, evm: &mut KernelEvm) -> Result<InitialAndFloorGas, KernelError> {
        let (tx, cfg) = (&evm.ctx.tx, &evm.ctx.cfg);
        let eip2780 = cfg.enable_amsterdam_eip2780.then(|| Eip2780TxInfo {
            value: tx.value,
            is_self_transfer: tx.kind.to() == Some(&tx.caller),
        });
        let params = &cfg.gas_params;
        let mut gas = validate_initial_tx_gas_with_gas_params(
            tx,
            cfg.spec,
            params,
            cfg.is_eip7623_disabled(),
            cfg.enable_amsterdam_eip8037,
            cfg.tx_gas_limit_cap(),
            eip2780,
        )?;
        if evm.ctx.journaled_state.dialect == Dialect::BalDevnet4 {
            let authorizations = tx.authorization_list.len() as u64;
            gas.set_initial_state_gas(amsterdam::intrinsic_state_gas(params, tx.kind.is_create(), authorizations));
            let (initial_gas, gas_limit) = (gas.initial_total_gas(), tx.gas_limit);
            if initial_gas > gas_limit {
                return Err(InvalidTransaction::CallGasCostMoreThanGasLimit { gas_limit, initial_gas }.into());
            }
        }
        Ok(gas)
    }

    /// revm's; where authorities were charged as if they had to be created, those that were there give it back.
    fn apply_eip7702_auth_list(&self, evm: &mut KernelEvm, gas: &mut GasTracker) -> Result<Option<u64>, KernelError> {
        let refund = apply_eip7702_auth_list::<_, KernelError>(&mut evm.ctx, gas)?;
        if evm.ctx.journaled_state.dialect != Dialect::BalDevnet4 {
            return Ok(refund);
        }
        let returned = refund.unwrap_or(0) * evm.ctx.cfg.gas_params.new_account_state_gas();
        gas.set_reservoir(gas.reservoir() + returned);
        evm.ctx.journaled_state.block_gas = returned as i64;
        Ok(Some(0))
    }

    /// revm's, which asks whether the account that is paid or created is empty: it pays for one that is.
    fn first_frame_input(&mut self, evm: &mut KernelEvm, gas: &mut GasTracker) -> Result<Option<FrameInit>, KernelError> {
        let context = &mut evm.ctx;
        if context.cfg.enable_amsterdam_eip2780 {
            let asked = match context.tx.kind {
                TxKind::Call(to) => (!context.tx.value.is_zero()).then_some(to),
                TxKind::Create => Some(context.tx.caller.create(context.tx.nonce)),
            };
            if let Some(address) = asked {
                context.journaled_state.inner.load_account_with_code(address)?;
                context.journaled_state.observe_emptiness(address)?;
            }
        }
        let mut memory = SharedMemory::new_with_buffer(context.local().shared_memory_buffer().clone());
        memory.set_memory_limit(context.cfg.memory_limit());
        let frame_input = create_init_frame(context, gas)?;
        Ok(frame_input.map(|frame_input| FrameInit { depth: 0, memory, frame_input }))
    }

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut KernelEvm,
        _gas: &mut InitialAndFloorGas,
    ) -> Result<(), KernelError> {
        let (block, tx, cfg, journal, _, _) = evm.ctx.all_mut();
        let caller = tx.caller();
        let mut account = journal.inner.load_account_mut_optional_code(caller, true)?.data;
        if !self.strict {
            account.unsafe_set_nonce(tx.nonce());
        }
        validate_account_nonce_and_code(&account.account().info, tx.nonce(), false, false)?;
        let balance = *account.balance();
        let spending = tx.max_balance_spending()?.checked_add(self.data_fee);
        let wanted = spending.ok_or(InvalidTransaction::OverflowPaymentInTransaction)?;
        if balance < wanted {
            journal.observe_nonce(caller);
            journal.observe_balance(caller)?;
            return Err(self.lack_of_funds(balance, wanted).into());
        }
        account.set_balance(calculate_caller_fee(balance - self.data_fee, tx, block, cfg)?);
        if tx.kind().is_call() {
            account.bump_nonce();
        }
        // The sender is the first account that a transaction loads.
        let observed = &mut journal.inner.database.accounts[0];
        observed.flags |= flag::NONCE_OBSERVED;
        observed.at_least(balance, wanted);
        if !self.strict {
            // The host turns the nonce at the start into a predicate: value equals the transaction's.
            observed.nonce = tx.nonce();
        }
        Ok(())
    }

    /// revm's `execution`, with a shorter way for a transaction that runs no code: no frame, no boxed input.
    /// The effects and the gas are those of `make_call_frame` with empty code (docs/performance.md).
    fn execution(
        &mut self,
        evm: &mut KernelEvm,
        checkpoint: JournalCheckpoint,
        gas: &mut GasTracker,
    ) -> Result<Option<FrameResult>, KernelError> {
        if let Some(result) = Self::plain_transfer(evm, gas)? {
            let mut result = result;
            self.last_frame_result(evm, &mut result, gas)?;
            return Ok(Some(result));
        }
        let Some(first) = self.first_frame_input(evm, gas)? else {
            runtime_oog_unwind(&mut evm.ctx, checkpoint)?;
            return Ok(None);
        };
        evm.ctx.journal_mut().checkpoint_commit();
        let forwarded = gas.remaining();
        let mut result = self.run_exec_loop(evm, first)?;
        if evm.ctx.journaled_state.dialect == Dialect::BalDevnet4 {
            result.gas_mut().set_state_gas_spilled(0);
            let journal = &mut evm.ctx.journaled_state;
            journal.block_gas -= journal.state_gas.lost as i64;
            if result.instruction_result() == InstructionResult::CreateCollision {
                // The sender pays for what such a transaction burns, and its block does not count it.
                journal.block_gas -= forwarded as i64;
            }
        }
        self.last_frame_result(evm, &mut result, gas)?;
        if evm.ctx.journaled_state.dialect == Dialect::BalDevnet4 && result.instruction_result().is_ok() {
            let returned =
                amsterdam::state_gas_of_destroyed(&evm.ctx.cfg.gas_params, &evm.ctx.journaled_state.inner.inner.state);
            let gas = result.gas_mut().tracker_mut();
            gas.set_reservoir(gas.reservoir() + returned);
            gas.set_state_gas_spent(gas.state_gas_spent() - returned as i64);
        }
        Ok(Some(result))
    }

    fn run_exec_loop(&mut self, evm: &mut KernelEvm, first: FrameInit) -> Result<FrameResult, KernelError> {
        Self::observe_payer(evm, &first)?;
        let begun = evm.frame_init(first)?;
        if let ItemOrResult::Result(result) = begun {
            Self::settle_pending(evm)?;
            return Ok(result);
        }
        let early = evm.ctx.journaled_state.dialect == Dialect::BalDevnet4;
        if early {
            evm.ctx.journaled_state.state_gas.begin_frame();
        }
        loop {
            Self::settle_pending(evm)?;
            let result = match Self::run_frame(evm)? {
                ItemOrResult::Item(init) => {
                    Self::observe_payer(evm, &init)?;
                    if early {
                        evm.ctx.journaled_state.state_gas.begin_frame();
                    }
                    match evm.frame_init(init)? {
                        ItemOrResult::Item(_) => continue,
                        ItemOrResult::Result(result) => result,
                    }
                }
                ItemOrResult::Result(result) => result,
            };
            let mut result = result;
            if early {
                let price = evm.ctx.cfg.gas_params.create_state_gas();
                evm.ctx.journaled_state.state_gas.settle(&mut result, price);
            }
            if let Some(result) = evm.frame_return_result(result)? {
                Self::settle_pending(evm)?;
                return Ok(result);
            }
        }
    }

    fn reimburse_caller(&self, evm: &mut KernelEvm, result: &mut FrameResult) -> Result<(), KernelError> {
        let price = evm.ctx.tx.effective_gas_price(evm.ctx.block.basefee() as u128);
        let caller = evm.ctx.tx.caller();
        let gas = result.gas();
        let unspent = gas.remaining() + gas.reservoir() + gas.refunded() as u64;
        let amount = U256::from(price.saturating_mul(u128::from(unspent)));
        evm.ctx.journaled_state.inner.load_account_mut_optional_code(caller, false)?.data.incr_balance(amount);
        Ok(())
    }

    fn reward_beneficiary(&self, evm: &mut KernelEvm, result: &mut FrameResult) -> Result<(), KernelError> {
        let base_fee = evm.ctx.block.basefee() as u128;
        let price = evm.ctx.tx.effective_gas_price(base_fee);
        let has_base_fee = evm.ctx.cfg.spec.is_enabled_in(SpecId::LONDON) && !self.vaults.keeps_base_fee;
        let tip = if has_base_fee { price.saturating_sub(base_fee) } else { price };
        let gas = result.gas();
        let used = U256::from(gas.used().saturating_sub(gas.reservoir()));
        let journal = &mut evm.ctx.journaled_state;
        journal.fee = U256::from(tip) * used;
        if self.vaults.any() {
            fees::pay(journal, self.vaults.base_fee, U256::from(base_fee) * used).map_err(EVMError::Database)?;
            fees::pay(journal, self.vaults.data_fee, self.data_fee).map_err(EVMError::Database)?;
        }
        if journal.dialect.burns() {
            let beneficiary = evm.ctx.block.beneficiary();
            amsterdam::burn_rest(&mut evm.ctx.journaled_state, beneficiary).map_err(EVMError::Database)?;
        }
        Ok(())
    }
}
