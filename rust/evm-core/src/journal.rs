//! revm's journal, watched: the same state changes, with a note of what was observed.
//!
//! revm reads accounts through a handful of journal methods; each is passed on unchanged after it has
//! told the account's [`Observed`] what the caller may conclude from the answer. Which method serves
//! which caller was read off revm 43.0.3:
//! - `load_account_info_skip_cold_load` without code: BALANCE, SELFBALANCE, EXTCODEHASH: exact balance;
//!   with code: CALL, EXTCODESIZE, EXTCODECOPY: at most an emptiness test;
//! - `load_account_mut*`: the creator's nonce; `load_account_with_code_mut`: an EIP-7702 authority;
//! - `load_account`, `load_account_with_code`: a target, nothing observed;
//! - transfers and creations: a lower bound of the payer's balance.
//!
//! A method that cannot return an error leaves it in `pending`; the handler looks after each frame.

use crate::amsterdam::{self, Dialect, StateGas};
use crate::host::{Abort, HostDb};
use crate::observe::{flag, Observed};
use alloc::vec::Vec;
use revm::context::journal::{Journal, JournalEntry};
use revm::context_interface::context::{SStoreResult, SelfDestructResult, StateLoad};
use revm::context_interface::journaled_state::account::JournaledAccount;
use revm::context_interface::journaled_state::{
    AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, JournalTr, TransferError,
};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, AddressMap, AddressSet, HashSet, Log, StorageKey, StorageValue, B256, KECCAK_EMPTY, U256};
use revm::state::{Account, Bytecode, EvmState, TransactionId};

pub struct WatchedJournal {
    pub inner: Journal<HostDb>,
    /// An abort met where revm's signature has no room for one.
    pub pending: Option<Abort>,
    /// What the fee recipient earns by the running transaction.
    pub fee: U256,
    /// What the frames of the running transaction have been given back of their gas for state, in `BalDevnet4`.
    pub state_gas: StateGas,
    /// Gas that the block counts for the running transaction beyond what the transaction used, in `BalDevnet4`.
    pub block_gas: i64,
    /// Constant in a block.
    pub dialect: Dialect,
}

type Load<T> = Result<StateLoad<T>, Abort>;
type LoadOrSkip<T> = Result<StateLoad<T>, JournalLoadError<Abort>>;

/// Accounts that a cleared state map may have room for; a larger one is given up.
const LARGEST_STATE: usize = 512;

impl WatchedJournal {
    /// Forgets the transaction before, its state too: the code it wrote stays readable until here.
    ///
    /// revm's `finalize` would hand the state out and build a new map; clearing it saves two allocations
    /// and a hasher a transaction.
    pub fn begin(&mut self) {
        self.pending = None;
        self.fee = U256::ZERO;
        self.block_gas = 0;
        self.state_gas.begin();
        self.inner.database.accounts.clear();
        let inner = &mut self.inner.inner;
        inner.commit_tx();
        inner.transaction_id = TransactionId::ZERO;
        if inner.state.capacity() > LARGEST_STATE {
            inner.state = EvmState::default();
        } else {
            inner.state.clear();
        }
    }

    /// The note of a loaded account.
    #[inline]
    fn index(&self, address: Address) -> Option<usize> {
        let id = self.inner.inner.state.get(&address).and_then(|account| account.info.account_id);
        match id {
            Some(index) => Some(index.get()),
            None => self.inner.database.accounts.iter().rposition(|a| a.address == address),
        }
    }

    #[inline]
    pub fn observed(&mut self, address: Address) -> Option<&mut Observed> {
        let index = self.index(address)?;
        self.inner.database.accounts.get_mut(index)
    }

    /// The exact balance at the start matters. A guess that proves wrong restarts the transaction.
    pub fn observe_balance(&mut self, address: Address) -> Result<(), Abort> {
        let Some(index) = self.index(address) else { return Ok(()) };
        let database = &mut self.inner.database;
        if database.accounts[index].flags & flag::BALANCE_OBSERVED != 0 {
            return Ok(());
        }
        if !database.accounts[index].exact {
            let id = database.accounts[index].id;
            if database.exact_balance(id)? != database.accounts[index].balance {
                return Err(Abort::Restart);
            }
            database.accounts[index].exact = true;
        }
        database.accounts[index].flags |= flag::BALANCE_OBSERVED;
        Ok(())
    }

    /// Somebody asked for at least `wanted`. True when the balance suffices.
    #[inline]
    pub fn observe_at_least(&mut self, address: Address, wanted: U256) -> Result<bool, Abort> {
        let Some(account) = self.inner.inner.state.get(&address) else { return Ok(wanted.is_zero()) };
        let current = account.info.balance;
        if current < wanted {
            self.observe_balance(address)?;
            return Ok(false);
        }
        let index = match account.info.account_id {
            Some(index) => Some(index.get()),
            None => self.index(address),
        };
        if let Some(index) = index {
            self.inner.database.accounts[index].at_least(current, wanted);
        }
        Ok(true)
    }

    pub fn observe_nonce(&mut self, address: Address) {
        if let Some(observed) = self.observed(address) {
            observed.flags |= flag::NONCE_OBSERVED;
        }
    }

    /// Somebody asked whether the account is empty (EIP-161): code, nonce, balance, in this order.
    pub fn observe_emptiness(&mut self, address: Address) -> Result<(), Abort> {
        let Some(account) = self.inner.inner.state.get(&address) else { return Ok(()) };
        if account.info.code_hash != KECCAK_EMPTY && !account.info.code_hash.is_zero() {
            return Ok(());
        }
        let (nonce, balance) = (account.info.nonce, account.info.balance);
        let Some(observed) = self.observed(address) else { return Ok(()) };
        if nonce > 0 {
            if observed.nonce > 0 {
                observed.flags |= flag::NONCE_NOT_ZERO;
            }
            return Ok(());
        }
        observed.flags |= flag::NONCE_OBSERVED;
        if balance.is_zero() {
            return self.observe_balance(address);
        }
        observed.at_least(balance, U256::from(1));
        Ok(())
    }

    #[inline]
    fn defer(&mut self, result: Result<bool, Abort>) {
        if let Err(abort) = result {
            self.pending = Some(abort);
        }
    }
}

impl JournalTr for WatchedJournal {
    type Database = HostDb;
    type State = EvmState;
    type JournaledAccount<'a> = JournaledAccount<'a, HostDb, JournalEntry>;

    fn new(database: HostDb) -> Self {
        WatchedJournal { inner: Journal::new(database), pending: None, fee: U256::ZERO, state_gas: StateGas::default(), block_gas: 0, dialect: Dialect::Own }
    }

    fn db_and_state(&self) -> (&HostDb, &EvmState) {
        self.inner.db_and_state()
    }

    fn db_and_state_mut(&mut self) -> (&mut HostDb, &mut EvmState) {
        self.inner.db_and_state_mut()
    }

    #[inline]
    fn sload_skip_cold_load(&mut self, address: Address, key: StorageKey, skip: bool) -> LoadOrSkip<StorageValue> {
        self.inner.sload_skip_cold_load(address, key, skip)
    }

    #[inline]
    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: StorageKey,
        value: StorageValue,
        skip: bool,
    ) -> LoadOrSkip<SStoreResult> {
        self.inner.sstore_skip_cold_load(address, key, value, skip)
    }

    fn tload(&mut self, address: Address, key: StorageKey) -> StorageValue {
        self.inner.tload(address, key)
    }

    fn tstore(&mut self, address: Address, key: StorageKey, value: StorageValue) {
        self.inner.tstore(address, key, value)
    }

    fn log(&mut self, log: Log) {
        self.inner.log(log)
    }

    fn take_logs(&mut self) -> Vec<Log> {
        self.inner.take_logs()
    }

    fn logs(&self) -> &[Log] {
        self.inner.logs()
    }

    fn selfdestruct(&mut self, address: Address, target: Address, skip: bool) -> LoadOrSkip<SelfDestructResult> {
        // The target is loaded first, for the cold access that may be refused for want of gas.
        let cold = self.inner.load_account_info_skip_cold_load(target, false, skip)?.is_cold;
        self.observe_balance(address)?;
        self.observe_emptiness(target)?;
        let mut load = self.inner.selfdestruct(address, target, skip)?;
        load.is_cold = cold;
        if address == target && self.dialect.burns() {
            amsterdam::burn(self, address);
        }
        Ok(load)
    }

    fn warm_access_list(&mut self, access_list: AddressMap<HashSet<StorageKey>>) {
        self.inner.warm_access_list(access_list)
    }

    fn warm_coinbase_account(&mut self, address: Address) {
        self.inner.warm_coinbase_account(address)
    }

    fn warm_precompiles(&mut self, precompiles: &AddressSet) {
        self.inner.warm_precompiles(precompiles)
    }

    fn precompile_addresses(&self) -> &AddressSet {
        self.inner.precompile_addresses()
    }

    fn set_spec_id(&mut self, spec_id: SpecId) {
        self.inner.set_spec_id(spec_id)
    }

    fn set_eip7708_config(&mut self, disabled: bool, delayed_clear_disabled: bool) {
        self.inner.set_eip7708_config(disabled, delayed_clear_disabled)
    }

    fn touch_account(&mut self, address: Address) {
        self.inner.touch_account(address)
    }

    fn transfer(&mut self, from: Address, to: Address, balance: U256) -> Result<Option<TransferError>, Abort> {
        self.inner.load_account(from)?;
        self.inner.load_account(to)?;
        Ok(self.transfer_loaded(from, to, balance))
    }

    #[inline]
    fn transfer_loaded(&mut self, from: Address, to: Address, balance: U256) -> Option<TransferError> {
        if !balance.is_zero() {
            let enough = self.observe_at_least(from, balance);
            self.defer(enough);
            // revm refuses a credit that passes 2^256; with a guess that is so high, the truth must be asked for.
            let passes = |account: &Account| account.info.balance.checked_add(balance).is_none();
            if self.inner.inner.state.get(&to).is_some_and(passes) {
                let observed = self.observe_balance(to).map(|()| true);
                self.defer(observed);
            }
        }
        self.inner.transfer_loaded(from, to, balance)
    }

    #[expect(deprecated)]
    fn caller_accounting_journal_entry(&mut self, address: Address, old_balance: U256, bump_nonce: bool) {
        self.inner.caller_accounting_journal_entry(address, old_balance, bump_nonce)
    }

    fn balance_incr(&mut self, address: Address, balance: U256) -> Result<(), Abort> {
        self.inner.balance_incr(address, balance)
    }

    #[expect(deprecated)]
    fn nonce_bump_journal_entry(&mut self, address: Address) {
        self.inner.nonce_bump_journal_entry(address)
    }

    #[inline]
    fn load_account(&mut self, address: Address) -> Load<&Account> {
        self.inner.load_account(address)
    }

    #[inline]
    fn load_account_with_code(&mut self, address: Address) -> Load<&Account> {
        self.inner.load_account_with_code(address)
    }

    fn load_account_delegated(&mut self, address: Address) -> Load<AccountLoad> {
        self.inner.load_account(address)?;
        self.observe_emptiness(address)?;
        self.inner.load_account_delegated(address)
    }

    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip: bool,
    ) -> LoadOrSkip<JournaledAccount<'_, HostDb, JournalEntry>> {
        let cold = self.inner.load_account_mut_skip_cold_load(address, skip)?.is_cold;
        self.observe_nonce(address);
        let mut load = self.inner.load_account_mut_skip_cold_load(address, skip)?;
        load.is_cold = cold;
        Ok(load)
    }

    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        load_code: bool,
    ) -> Load<JournaledAccount<'_, HostDb, JournalEntry>> {
        let cold = self.inner.load_account_mut_optional_code(address, load_code)?.is_cold;
        self.observe_nonce(address);
        self.observe_emptiness(address)?;
        let mut load = self.inner.load_account_mut_optional_code(address, load_code)?;
        load.is_cold = cold;
        Ok(load)
    }

    fn set_code_with_hash(&mut self, address: Address, code: Bytecode, hash: B256) {
        self.inner.set_code_with_hash(address, code, hash)
    }

    fn checkpoint(&mut self) -> JournalCheckpoint {
        self.inner.checkpoint()
    }

    fn checkpoint_commit(&mut self) {
        self.inner.checkpoint_commit()
    }

    fn checkpoint_revert(&mut self, checkpoint: JournalCheckpoint) {
        self.inner.checkpoint_revert(checkpoint)
    }

    fn create_account_checkpoint(
        &mut self,
        caller: Address,
        address: Address,
        balance: U256,
        spec_id: SpecId,
    ) -> Result<JournalCheckpoint, TransferError> {
        // The collision test looks at nonce and code of the target, and here at its storage (EIP-7610). The caller's
        // balance was observed by the handler before the frame began.
        self.observe_nonce(address);
        if self.observed(address).is_some_and(|observed| observed.stored) {
            return Err(TransferError::CreateCollision);
        }
        self.inner.create_account_checkpoint(caller, address, balance, spec_id)
    }

    fn depth(&self) -> usize {
        self.inner.depth()
    }

    fn commit_tx(&mut self) {
        self.inner.commit_tx()
    }

    fn discard_tx(&mut self) {
        self.inner.discard_tx()
    }

    fn finalize(&mut self) -> EvmState {
        self.inner.finalize()
    }

    #[inline]
    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip: bool,
    ) -> Result<AccountInfoLoad<'_>, JournalLoadError<Abort>> {
        let cold = self.inner.load_account_info_skip_cold_load(address, load_code, skip)?.is_cold;
        if !load_code {
            // EXTCODEHASH takes this road too, where an emptiness test would do.
            self.observe_balance(address)?;
        }
        self.observe_emptiness(address)?;
        let spec = self.inner.inner.cfg.spec;
        let account = &self.inner.inner.state[&address];
        Ok(AccountInfoLoad::new(&account.info, cold, account.state_clear_aware_is_empty(spec)))
    }
}
