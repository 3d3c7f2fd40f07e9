//! What the result of each function takes.

/// What one call of a function allocates, or how long it takes, by its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// About as much as its arguments take, and constants among them are not copied for each row.
    None,
    /// The same, but constants among its arguments may be copied for each row.
    Copies,
    /// `f(value, ...)`: all of its arguments in one value.
    Gather,
    /// `f(separator, text, ...)`: the same, with the separator between the texts.
    GatherBetween,
    /// `f(text, times)`: the text so many times.
    Repeat,
    /// `f(text, characters, ...)`: so many characters.
    Pad,
    /// `f([start], stop, [step])`: the elements between.
    Series,
    /// `f(element, times)`: the element so many times.
    ArrayRepeat,
    /// `f(array, elements, [element])`: so many elements.
    ArrayResize,
    /// `f(text, from, to)`: `to` for each `from`.
    Replace,
    /// `f(array, from, to, ...)`: `to` for each element.
    ArrayReplace,
    /// `f(array, separator, ...)`: the separator between the elements.
    Join,
    /// `f(time, format)`: each letter of the format becomes a word.
    Format,
    /// `f(text, text)`: takes the product of both lengths.
    Distance,
    /// `f(array, array)`: takes the product of both lengths.
    Pairs,
    /// `f(array, array)`: the same, unless one is a constant, which is not copied.
    Overlap,
    /// `f(text, pattern, ...)`: a pattern is compiled, and each text is searched.
    Search,
    /// `f(text, pattern, replacement, [flags])`: the same, and the replacement for each match.
    SearchAndReplace,
}

/// The growth of the function with this name. `None` if it is not a function of the engine.
pub(super) fn growth_of(name: &str) -> Option<Growth> {
    if name.starts_with("json_") {
        return Some(Growth::None);
    }
    Some(match name {
        "repeat" => Growth::Repeat,
        "lpad" | "rpad" => Growth::Pad,
        "range" | "generate_series" => Growth::Series,
        "array_repeat" => Growth::ArrayRepeat,
        "array_resize" => Growth::ArrayResize,
        "replace" => Growth::Replace,
        "array_replace" | "array_replace_n" | "array_replace_all" => Growth::ArrayReplace,
        "array_to_string" => Growth::Join,
        "to_char" => Growth::Format,
        "levenshtein" => Growth::Distance,
        "array_has_all" => Growth::Pairs,
        "array_has_any" => Growth::Overlap,
        "concat" | "make_array" | "map" | "array_append" | "array_prepend" | "array_concat" | "array_union"
        | "arrays_zip" => Growth::Gather,
        "concat_ws" => Growth::GatherBetween,
        "regexp_count" | "regexp_instr" | "regexp_like" | "regexp_match" => Growth::Search,
        "regexp_replace" => Growth::SearchAndReplace,
        // Texts and arrays whose constant arguments become columns.
        "overlay" | "translate" | "split_part" | "substr_index" | "string_to_array" | "find_in_set" | "strpos"
        | "contains" | "starts_with" | "ends_with" | "btrim" | "ltrim" | "rtrim" | "left" | "right" | "substr"
        | "greatest" | "least" | "nullif" | "nvl" | "nvl2" | "coalesce" | "encode" | "decode" | "digest"
        | "array_intersect" | "array_except" | "array_has" | "array_element" | "array_slice" | "array_position"
        | "array_positions" | "array_remove" | "array_remove_n" | "array_remove_all" | "array_add"
        | "array_subtract" | "array_scale" | "array_normalize" | "array_distance" | "cosine_distance"
        | "inner_product" | "array_sort" | "map_extract" | "array_length" | "union_extract" => Growth::Copies,
        // Not more than their one argument takes, by a small factor.
        "ascii" | "bit_length" | "character_length" | "octet_length" | "chr" | "initcap" | "lower" | "upper"
        | "reverse" | "to_hex" | "md5" | "sha224" | "sha256" | "sha384" | "sha512" | "array_any_value"
        | "array_avg" | "array_compact" | "array_dims" | "array_distinct" | "array_first" | "array_max"
        | "array_min" | "array_ndims" | "array_pop_back" | "array_pop_front" | "array_product" | "array_reverse"
        | "array_sum" | "cardinality" | "empty" | "flatten" | "map_entries" | "map_keys" | "map_values" => Growth::None,
        // A number, a time or a truth value for each row.
        "abs"
        | "acos"
        | "acosh"
        | "asin"
        | "asinh"
        | "atan"
        | "atan2"
        | "atanh"
        | "cbrt"
        | "ceil"
        | "cos"
        | "cosh"
        | "cot"
        | "degrees"
        | "exp"
        | "factorial"
        | "floor"
        | "gcd"
        | "isnan"
        | "iszero"
        | "lcm"
        | "ln"
        | "log"
        | "log2"
        | "log10"
        | "nanvl"
        | "pi"
        | "power"
        | "radians"
        | "random"
        | "signum"
        | "sin"
        | "sinh"
        | "sqrt"
        | "tan"
        | "tanh"
        | "round"
        | "trunc"
        | "uuid"
        | "current_date"
        | "current_time"
        | "date_bin"
        | "date_part"
        | "date_trunc"
        | "from_unixtime"
        | "make_date"
        | "make_time"
        | "now"
        | "to_date"
        | "to_local_time"
        | "to_time"
        | "to_unixtime"
        | "to_timestamp"
        | "to_timestamp_seconds"
        | "to_timestamp_millis"
        | "to_timestamp_micros"
        | "to_timestamp_nanos" => Growth::None,
        // The engine knows them by their type, or they show what is there.
        "arrow_cast" | "arrow_try_cast" | "arrow_field" | "arrow_metadata" | "arrow_typeof" | "cast_to_type"
        | "try_cast_to_type" | "with_metadata" | "get_field" | "struct" | "named_struct" | "union_tag" | "version"
        | "input_file_name" | "file_row_index" => Growth::None,
        _ => return None,
    })
}
