//! What the result of each function takes.

use super::pattern::Syntax;

/// What one call of a function allocates, or how long it takes, by its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// A value of fixed size for each row, or a part of its argument. Constants among its arguments are not copied.
    None,
    /// The same. The function names the type that it casts to.
    Cast,
    /// About as much as its arguments take, and constants among them may be copied for each row.
    Copies,
    /// The same, and each byte takes so many eighths of a step and becomes so many bytes.
    Bytes { eighths: u64, becomes: u64 },
    /// The same, and each byte takes so many eighths of a step. Few letters become longer.
    Case { eighths: u64 },
    /// The same, and each element takes so many steps.
    Elements { steps: u64 },
    /// `f(text, letters)`: each letter of the text is looked for among the others.
    Trim,
    /// `f(text, separator, ...)`: the parts of the text.
    Split,
    /// `f(json, ...)`: the elements of an array, or the keys of an object.
    JsonElements,
    /// `f(value, ...)`: all of its arguments in one value.
    Gather,
    /// `f(array, ...)`: the same, and each element takes so many steps.
    GatherElements { steps: u64 },
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
    /// `f(value, array)`: the value is compared with each element. A constant is not copied.
    AnyOf,
    /// `f(text, pattern, ...)`: a pattern is compiled, and each text is searched.
    Search,
    /// `f(text, pattern, replacement, [flags])`: the same, and the replacement for each match.
    SearchAndReplace,
    /// `text ~ pattern`, `text LIKE pattern`, and the same with an array of patterns: a pattern is compiled, each text is
    /// searched, and a constant is not copied.
    Match(Syntax),
}

impl Growth {
    /// The syntax of the pattern that is the second argument, if one is.
    pub(super) fn syntax(self) -> Option<Syntax> {
        match self {
            Self::Search | Self::SearchAndReplace => Some(Syntax::Regular),
            Self::Match(syntax) => Some(syntax),
            _ => None,
        }
    }

    /// Whether constants among the arguments may be copied for each row.
    pub(super) fn copies_constants(self) -> bool {
        !matches!(
            self,
            Self::None
                | Self::Cast
                | Self::Gather
                | Self::GatherElements { .. }
                | Self::GatherBetween
                | Self::Overlap
                | Self::AnyOf
                | Self::Match(_)
        )
    }
}

/// Steps for each element of an array that is passed on.
const PASSED_ON: u64 = 10;
/// Steps for each element that is compared or hashed.
const COMPARED: u64 = 25;

/// The growth of the function with this name. `None` if it is not a function of the engine.
pub(super) fn growth_of(name: &str) -> Option<Growth> {
    Some(match name {
        "json_get_array" | "json_elements" | "json_element_texts" | "json_keys" | "json_values"
        | "json_value_texts" => Growth::JsonElements,
        name if name.starts_with("json_") => Growth::None,
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
        "concat" | "make_array" | "map" => Growth::Gather,
        "array_append" | "array_prepend" | "array_concat" | "arrays_zip" => Growth::GatherElements { steps: PASSED_ON },
        "array_union" => Growth::GatherElements { steps: COMPARED },
        "concat_ws" => Growth::GatherBetween,
        "regexp_count"
        | "regexp_instr"
        | "regexp_like"
        | "regexp_match"
        | "regexp_match_texts"
        | "regexp_matches"
        | "regexp_split_to_array"
        | "regexp_split_to_table"
        | "regexp_substr"
        | "substring" => Growth::Search,
        "~" | "~*" | "!~" | "!~*" | "similar_to" | "any_match" | "any_imatch" => Growth::Match(Syntax::Regular),
        "like_escape" | "any_like" => Growth::Match(Syntax::Like),
        "ilike_escape" | "any_ilike" => Growth::Match(Syntax::ILike),
        "any_eq" | "any_ge" | "any_gt" | "any_le" | "any_lt" | "any_ne" | "all_eq" | "all_ge" | "all_gt" | "all_le"
        | "all_lt" | "all_ne" => Growth::AnyOf,
        "regexp_replace" => Growth::SearchAndReplace,
        "btrim" | "ltrim" | "rtrim" => Growth::Trim,
        "string_to_array" => Growth::Split,
        "lower" | "upper" => Growth::Case { eighths: 20 },
        "initcap" => Growth::Case { eighths: 24 },
        "reverse" | "decode" | "digest" | "md5" | "sha224" | "sha256" | "sha384" | "sha512" => {
            Growth::Bytes { eighths: 8, becomes: 1 }
        }
        "encode" => Growth::Bytes { eighths: 4, becomes: 2 },
        "translate" => Growth::Bytes { eighths: 32, becomes: 4 },
        // A text is read by one format after the other.
        "to_date"
        | "to_time"
        | "to_unixtime"
        | "to_timestamp"
        | "to_timestamp_seconds"
        | "to_timestamp_millis"
        | "to_timestamp_micros"
        | "to_timestamp_nanos" => Growth::Bytes { eighths: 80, becomes: 1 },
        "array_sort" => Growth::Elements { steps: 2 * COMPARED },
        "array_intersect" | "array_except" | "array_has" | "array_position" | "array_positions" | "array_remove"
        | "array_remove_n" | "array_remove_all" | "array_distinct" | "array_max" | "array_min" | "map_extract" => {
            Growth::Elements { steps: COMPARED }
        }
        "array_element" | "array_slice" | "array_add" | "array_subtract" | "array_scale" | "array_normalize"
        | "array_distance" | "cosine_distance" | "inner_product" | "array_any_value" | "array_avg"
        | "array_compact" | "array_ordinals" | "array_or_empty" | "array_or_null" | "array_pop_back"
        | "array_pop_front" | "array_product" | "array_reverse" | "array_sum" | "flatten" | "map_entries"
        | "map_keys" | "map_values" => Growth::Elements { steps: PASSED_ON },
        // Texts whose constant arguments become columns.
        "overlay" | "split_part" | "substr_index" | "find_in_set" | "strpos" | "contains" | "starts_with"
        | "ends_with" | "left" | "right" | "substr" | "greatest" | "least" | "nullif" | "to_open_numeric" | "nvl"
        | "nvl2" | "coalesce" | "array_length" | "union_extract" => Growth::Copies,
        "ascii" | "bit_length" | "character_length" | "octet_length" | "chr" | "to_hex" | "array_dims"
        | "array_ndims" | "cardinality" | "empty" => Growth::None,
        // A number, a time or a truth value for each row.
        "timezone" => Growth::None,
        "abs" | "acos" | "acosh" | "asin" | "asinh" | "atan" | "atan2" | "atanh" | "cbrt" | "ceil" | "cos" | "cosh"
        | "cot" | "degrees" | "exp" | "factorial" | "floor" | "gcd" | "isnan" | "iszero" | "lcm" | "ln" | "log"
        | "log2" | "log10" | "nanvl" | "pi" | "power" | "radians" | "random" | "signum" | "sin" | "sinh" | "sqrt"
        | "tan" | "tanh" | "round" | "trunc" | "uuid" | "current_date" | "current_time" | "date_bin" | "date_part"
        | "date_trunc" | "from_unixtime" | "make_date" | "make_time" | "now" | "to_local_time" => Growth::None,
        "acosd" | "age" | "asind" | "atan2d" | "atand" | "clock_timestamp" | "cosd" | "cotd" | "date" | "div"
        | "extract" | "interval_literal" | "isfinite" | "justify_days" | "justify_hours" | "justify_interval"
        | "localtime" | "localtimestamp" | "make_interval" | "make_timestamp" | "make_timestamptz" | "min_scale"
        | "mod" | "overlaps" | "pg_bit_not" | "pg_negative" | "pg_size_pretty" | "round_time" | "scale"
        | "series_bound" | "series_value" | "setseed" | "sign" | "sind" | "tand" | "timeofday" | "to_numeric_type"
        | "trim_scale" | "width_bucket" => Growth::None,
        // Operators over numbers, times and intervals.
        "+" | "-" | "*" | "/" | "%" | "^" | "&" | "|" | "#" | "<<" | ">>" | "=" | "<>" | "<" | "<=" | ">" | ">=" => {
            Growth::None
        }
        // The engine knows them by their type, or they show what is there.
        "arrow_cast" | "arrow_try_cast" => Growth::Cast,
        "arrow_field" | "arrow_metadata" | "arrow_typeof" | "cast_to_type" | "try_cast_to_type" | "with_metadata"
        | "get_field" | "struct" | "named_struct" | "union_tag" | "version" | "input_file_name" | "file_row_index" => {
            Growth::None
        }
        _ => return None,
    })
}
