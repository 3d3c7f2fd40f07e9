//! Writes the rows of the archive to unencrypted files: the same files, order and encoding.

use crate::prove;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{Table, read};
use std::path::Path;

/// The exporting process: writes each file of `events` and `sessions` below `plain`, and reports.
pub(crate) async fn child(folder: &Path, plain: &Path) -> anyhow::Result<()> {
    let (archive, identities) = prove::open(folder)?;
    let unlocker = Unlocker::new(archive.clone(), identities);
    let unfinished = plain.with_extension("unfinished");
    let (mut files, mut before, mut after) = (0, 0, 0);
    for table in [Table::Events, Table::Sessions] {
        let table_folder = unfinished.join(table.name());
        std::fs::create_dir_all(&table_folder)?;
        let snapshot = archive.table(table).snapshot().await?;
        unlocker.prepare(&snapshot.files).await?;
        let schema = table.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        for file in snapshot.files.iter() {
            let keys = SegmentKeys::unencrypted_for_measurement(file.id.clone());
            let partition = Partition { class: file.class.clone(), date: file.date };
            let mut writer = SegmentWriter::sealed(table, partition, keys)?;
            for batch in read::columns(&archive, &unlocker, file, &names).await? {
                writer.write(&batch)?;
            }
            let segment = writer.finish()?;
            std::fs::write(table_folder.join(format!("{}.parquet", file.id)), &segment.bytes)?;
            files += 1;
            before += file.size;
            after += segment.bytes.len();
        }
    }
    std::fs::rename(&unfinished, plain)?;
    println!("{}", serde_json::json!({ "files": files, "share": after as f64 / before as f64 }));
    Ok(())
}
