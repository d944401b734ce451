//! The flat buffer in which changes arrive: one run of words an account.
//!
//! ```text
//! flags | slots | address (5) | nonce (2)? | balance (8)? | code hash (8)? | slots * (key (8), value (8))
//! ```
//! Address and code hash are bytes as they are, four a word; numbers are little-endian limbs. What a flag does not
//! announce is absent, and stays as it is. Known coupling: `src/core/stateRoot.ts` writes it.

use super::node::Words8;

pub const NONCE: u32 = 1;
pub const BALANCE: u32 = 2;
pub const CODE: u32 = 4;
pub const DELETED: u32 = 8;
pub const CLEARED: u32 = 16;
const KNOWN: u32 = 31;

/// Words of a slot: key and value.
const SLOT_WORDS: usize = 16;
const ADDRESS_AT: usize = 2;

/// One account's changes.
pub struct Change<'a> {
    pub flags: u32,
    pub address: &'a [u32],
    /// What follows the address.
    fields: &'a [u32],
    pub slots: &'a [u32],
}

/// Takes the first change off `words`; nothing where they are no change.
pub fn take<'a>(words: &mut &'a [u32]) -> Option<Change<'a>> {
    let (flags, slots) = (*words.first()?, *words.get(1)?);
    if flags & !KNOWN != 0 {
        return None;
    }
    let fields = fields_words(flags);
    let start = ADDRESS_AT + 5 + fields;
    let end = start.checked_add((slots as usize).checked_mul(SLOT_WORDS)?)?;
    let own = words.get(..end)?;
    *words = &words[end..];
    Some(Change {
        flags,
        address: &own[ADDRESS_AT..ADDRESS_AT + 5],
        fields: &own[ADDRESS_AT + 5..start],
        slots: &own[start..],
    })
}

/// Words of the fields that `flags` announce.
fn fields_words(flags: u32) -> usize {
    2 * usize::from(flags & NONCE != 0) + 8 * (flags & (BALANCE | CODE)).count_ones() as usize
}

impl Change<'_> {
    fn field(&self, flag: u32, words: usize) -> Option<&[u32]> {
        if self.flags & flag == 0 {
            return None;
        }
        // Fields stand in the order of their flags.
        let at = fields_words(self.flags & (flag - 1));
        Some(&self.fields[at..at + words])
    }

    pub fn nonce(&self) -> Option<[u32; 2]> {
        self.field(NONCE, 2).map(|w| [w[0], w[1]])
    }

    pub fn balance(&self) -> Option<Words8> {
        self.field(BALANCE, 8).map(words8)
    }

    pub fn code(&self) -> Option<Words8> {
        self.field(CODE, 8).map(words8)
    }
}

pub fn words8(words: &[u32]) -> Words8 {
    core::array::from_fn(|k| words[k])
}
