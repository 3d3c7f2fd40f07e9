//! Plans and executes statements with DataFusion.
//!
//! ```text
//! SessionOptions ─▶ Session ─▶ bounds? ─▶ parse ─▶ read only? ─▶ lineage ─▶ inline views ─▶ optimize ─▶ Planned
//!                        └ Admission (a permit), a thread for statements                                 │ first row
//!                                                QueryResult ◀─ execute ◀─ Admission (a permit) ◀────────┘
//! ```

mod admission;
mod aggregates;
mod answers;
mod batch_bytes;
mod centroids;
mod deliveries_of_few;
mod equal_names;
mod equal_parameters;
mod event_order;
mod extension;
mod few_subjects;
mod fixed_sizes;
mod full_batches;
mod functions;
mod given_up;
mod grouping_sets;
mod handed_over;
mod held_memory;
mod join_conditions;
mod kept_plans;
mod known_of_parts;
mod large_limits;
mod memory;
mod named_sessions;
mod names;
mod one_partition;
mod options;
mod owned_arrays;
mod parameters;
mod passing;
mod placeholders;
mod planned;
mod read_only;
mod recent;
mod result;
mod row_counts;
mod session;
mod setup;
mod shown_names;
mod spill;
mod statement_bounds;
mod statement_context;
mod statement_runtime;
mod statement_tasks;
mod text_types;
mod timeline;
mod times;
mod waiting_rows;
mod window_memory;
mod yielding;

pub use extension::Extension;
pub use holdfast_dialect::TYPE_KEY;
pub use options::{DEFAULT_FOOTER_CACHE, DEFAULT_MEMORY_LIMIT, SessionOptions, Spill};
pub(crate) use planned::Planned;
pub use result::{Description, QueryResult};
pub use session::Session;
pub use statement_bounds::check_bounds;
pub use statement_runtime::StatementRuntime;
pub(crate) use timeline::TIMELINE;
pub use timeline::timeline;
