//! The 4x4 transforms of VP8 (RFC 6386, section 14): the forward pair, and the inverse pair, which equals that of a decoder to the bit.

/// A 4x4 block in rows.
pub(crate) type Block = [i32; 16];

/// Forward cosine transform of a residue.
pub(crate) fn forward_cosine(input: &Block) -> Block {
    let mut half = [0; 16];
    for row in 0..4 {
        let at = row * 4;
        let outer_sum = (input[at] + input[at + 3]) * 8;
        let inner_sum = (input[at + 1] + input[at + 2]) * 8;
        let inner = (input[at + 1] - input[at + 2]) * 8;
        let outer = (input[at] - input[at + 3]) * 8;
        half[at] = outer_sum + inner_sum;
        half[at + 2] = outer_sum - inner_sum;
        half[at + 1] = (inner * 2217 + outer * 5352 + 14500) >> 12;
        half[at + 3] = (outer * 2217 - inner * 5352 + 7500) >> 12;
    }
    let mut output = [0; 16];
    for column in 0..4 {
        let outer_sum = half[column] + half[column + 12];
        let inner_sum = half[column + 4] + half[column + 8];
        let inner = half[column + 4] - half[column + 8];
        let outer = half[column] - half[column + 12];
        output[column] = (outer_sum + inner_sum + 7) >> 4;
        output[column + 8] = (outer_sum - inner_sum + 7) >> 4;
        output[column + 4] = ((inner * 2217 + outer * 5352 + 12000) >> 16) + i32::from(outer != 0);
        output[column + 12] = (outer * 2217 - inner * 5352 + 51000) >> 16;
    }
    output
}

/// Inverse cosine transform: coefficients to residue.
pub(crate) fn inverse_cosine(input: &Block) -> Block {
    // sqrt(2)·cos(pi/8) - 1 and sqrt(2)·sin(pi/8), in 65536ths.
    const COSINE: i32 = 20091;
    const SINE: i32 = 35468;
    let mut half = [0; 16];
    for column in 0..4 {
        let (first, second, third, fourth) = (input[column], input[column + 4], input[column + 8], input[column + 12]);
        let even_sum = first + third;
        let even = first - third;
        let odd = ((second * SINE) >> 16) - (fourth + ((fourth * COSINE) >> 16));
        let odd_sum = (second + ((second * COSINE) >> 16)) + ((fourth * SINE) >> 16);
        half[column] = even_sum + odd_sum;
        half[column + 12] = even_sum - odd_sum;
        half[column + 4] = even + odd;
        half[column + 8] = even - odd;
    }
    let mut output = [0; 16];
    for row in 0..4 {
        let at = row * 4;
        let (first, second, third, fourth) = (half[at], half[at + 1], half[at + 2], half[at + 3]);
        let even_sum = first + third;
        let even = first - third;
        let odd = ((second * SINE) >> 16) - (fourth + ((fourth * COSINE) >> 16));
        let odd_sum = (second + ((second * COSINE) >> 16)) + ((fourth * SINE) >> 16);
        output[at] = (even_sum + odd_sum + 4) >> 3;
        output[at + 3] = (even_sum - odd_sum + 4) >> 3;
        output[at + 1] = (even + odd + 4) >> 3;
        output[at + 2] = (even - odd + 4) >> 3;
    }
    output
}

/// Forward Walsh-Hadamard transform of the sixteen luma means of a macroblock.
pub(crate) fn forward_walsh(input: &Block) -> Block {
    let mut half = [0; 16];
    for row in 0..4 {
        let at = row * 4;
        let a = (input[at] + input[at + 2]) * 4;
        let d = (input[at + 1] + input[at + 3]) * 4;
        let c = (input[at + 1] - input[at + 3]) * 4;
        let b = (input[at] - input[at + 2]) * 4;
        half[at] = a + d + i32::from(a != 0);
        half[at + 1] = b + c;
        half[at + 2] = b - c;
        half[at + 3] = a - d;
    }
    let mut output = [0; 16];
    for column in 0..4 {
        let a = half[column] + half[column + 8];
        let d = half[column + 4] + half[column + 12];
        let c = half[column + 4] - half[column + 12];
        let b = half[column] - half[column + 8];
        for (row, value) in [a + d, b + c, b - c, a - d].into_iter().enumerate() {
            output[column + row * 4] = (value + i32::from(value < 0) + 3) >> 3;
        }
    }
    output
}

/// Inverse Walsh-Hadamard transform.
pub(crate) fn inverse_walsh(input: &Block) -> Block {
    let mut half = [0; 16];
    for column in 0..4 {
        let a = input[column] + input[column + 12];
        let b = input[column + 4] + input[column + 8];
        let c = input[column + 4] - input[column + 8];
        let d = input[column] - input[column + 12];
        half[column] = a + b;
        half[column + 4] = c + d;
        half[column + 8] = a - b;
        half[column + 12] = d - c;
    }
    let mut output = [0; 16];
    for row in 0..4 {
        let at = row * 4;
        let a = half[at] + half[at + 3];
        let b = half[at + 1] + half[at + 2];
        let c = half[at + 1] - half[at + 2];
        let d = half[at] - half[at + 3];
        output[at] = (a + b + 3) >> 3;
        output[at + 1] = (c + d + 3) >> 3;
        output[at + 2] = (a - b + 3) >> 3;
        output[at + 3] = (d - c + 3) >> 3;
    }
    output
}
