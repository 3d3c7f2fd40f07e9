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
        let probabilities = &COEFFICIENT_DEFAULT[kind][BAND[at]][context];
        let level = levels[ZIGZAG[at]];
        // The end of the block never follows a zero, so that branch is not coded.
        if !after_zero {
            out.bit(probabilities[0], true);
        }
        out.bit(probabilities[1], level != 0);
        after_zero = level == 0;
        if level == 0 {
            context = 0;
            continue;
        }
        let size = level.unsigned_abs();
        out.bit(probabilities[2], size > 1);
        if size > 1 {
            write_size(out, probabilities, size);
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
fn write_size(out: &mut BoolCoder, probabilities: &[u8; 11], size: u32) {
    out.bit(probabilities[3], size > 4);
    if size <= 4 {
        out.bit(probabilities[4], size > 2);
        if size > 2 {
            out.bit(probabilities[5], size == 4);
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
    out.bit(probabilities[6], size > 10);
    if size <= 10 {
        out.bit(probabilities[7], size > 6);
    } else {
        out.bit(probabilities[8], size > 34);
        if size <= 34 {
            out.bit(probabilities[9], size > 18);
        } else {
            out.bit(probabilities[10], size > 66);
        }
    }
    for (index, probability) in extra.iter().enumerate() {
        let position = extra.len() - 1 - index;
        out.bit(*probability, ((size - base) >> position) & 1 == 1);
    }
}
