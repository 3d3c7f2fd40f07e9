//! Coefficients as tokens (RFC 6386, section 13): the tree, its contexts, the extra bits.

use super::bool_coder::BoolCoder;
use super::tables::COEFFICIENT_DEFAULT;
use super::transform::Block;

const ZIGZAG: [usize; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];
const BAND: [usize; 16] = [0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7];

/// Section 13.2: the levels of one block as tokens; true when there is one that is not zero.
pub(crate) fn write_tokens(out: &mut BoolCoder, levels: &Block, kind: usize, first: usize, context: usize) -> bool {
    let end = (first..16).rev().find(|at| levels[ZIGZAG[*at]] != 0).map_or(first, |at| at + 1);
    let mut context = context;
    let mut after_zero = false;
    for at in first..end {
        let chances = &COEFFICIENT_DEFAULT[kind][BAND[at]][context];
        let level = levels[ZIGZAG[at]];
        // A zero is never followed by the end of the block, so that question is not asked.
        if !after_zero {
            out.bit(chances[0], true);
        }
        out.bit(chances[1], level != 0);
        after_zero = level == 0;
        if level == 0 {
            context = 0;
            continue;
        }
        let size = level.unsigned_abs();
        out.bit(chances[2], size > 1);
        if size > 1 {
            write_size(out, chances, size);
        }
        out.bit(128, level < 0);
        context = if size == 1 { 1 } else { 2 };
    }
    if end < 16 {
        out.bit(COEFFICIENT_DEFAULT[kind][BAND[end]][context][0], false);
    }
    end > first
}

/// The branch of the token tree for two and more, with the extra bits of the six categories.
fn write_size(out: &mut BoolCoder, chances: &[u8; 11], size: u32) {
    out.bit(chances[3], size > 4);
    if size <= 4 {
        out.bit(chances[4], size > 2);
        if size > 2 {
            out.bit(chances[5], size == 4);
        }
        return;
    }
    let (base, extra): (u32, &[u8]) = match size {
        5..=6 => (5, &[159]),
        7..=10 => (7, &[165, 145]),
        11..=18 => (11, &[173, 148, 140]),
        19..=34 => (19, &[176, 155, 140, 135]),
        35..=66 => (35, &[180, 157, 141, 134, 130]),
        _ => (67, &[254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129]),
    };
    out.bit(chances[6], size > 10);
    if size <= 10 {
        out.bit(chances[7], size > 6);
    } else {
        out.bit(chances[8], size > 34);
        if size <= 34 {
            out.bit(chances[9], size > 18);
        } else {
            out.bit(chances[10], size > 66);
        }
    }
    for (index, chance) in extra.iter().enumerate() {
        let position = extra.len() - 1 - index;
        out.bit(*chance, ((size - base) >> position) & 1 == 1);
    }
}
