//! Pairs against the plain sponge, and that against published answers. More answers, and @noble/hashes as a second
//! opinion, meet the built files in test/unit/hash.test.ts.

use super::{keccak256, pairs, single, Digest, Sponge, RATE};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that repeat nowhere near a block's length.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|k| (k * 167 + k / 251) as u8).collect()
}

#[test]
fn published_answers() {
    assert_eq!(hex(&keccak256(b"")), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_eq!(hex(&keccak256(b"abc")), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

#[test]
fn pieces_of_whole_blocks_are_the_input_at_once() {
    let input = bytes(5 * RATE + 7);
    for at in [0, RATE, 3 * RATE, 5 * RATE] {
        let mut sponge = Sponge::EMPTY;
        assert!(sponge.absorb(&input[..at]).is_empty());
        assert_eq!(sponge.finish(&input[at..]), keccak256(&input));
    }
}

/// Hashes inputs of these lengths both ways.
fn compare(lengths: &[usize]) {
    let input = bytes(lengths.iter().sum());
    let mut end = 0;
    let ends: Vec<u32> = lengths
        .iter()
        .map(|length| {
            end += length;
            end as u32
        })
        .collect();
    let blank: Digest = [0xaa; 32];
    let mut plain = alloc::vec![blank; ends.len()];
    let mut paired = plain.clone();
    single::batch(&input, &ends, &mut plain);
    pairs::batch(&input, &ends, &mut paired);
    assert_eq!(plain, paired, "{lengths:?}");
}

#[test]
fn pairs_of_any_two_lengths_around_blocks_agree_with_singles() {
    let lengths = [0, 1, 7, 8, 9, 31, 32, 135, 136, 137, 271, 272, 273, 408, 544];
    for a in lengths {
        for b in lengths {
            compare(&[a, b]);
            compare(&[a, b, a]);
            compare(&[b, a, b, b]);
        }
    }
}

#[test]
fn ragged_batches_of_any_count_agree_with_singles() {
    let mut seed = 7u32;
    for count in 0..40 {
        let lengths: Vec<usize> = (0..count)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 16) as usize % if seed & 4 == 0 { 1000 } else { 40 }
            })
            .collect();
        compare(&lengths);
    }
}
