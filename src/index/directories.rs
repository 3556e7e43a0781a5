//! Which directories of objects the rows name.

use super::{Index, IndexError};
use sqlx::Row;

/// Steps from name to name over the index on `directory`, so that it costs one look a directory and not
/// one a row.
const DIRECTORIES: &str = "WITH RECURSIVE step (directory) AS (
        SELECT min(directory) FROM instance
        UNION ALL
        SELECT (SELECT min(directory) FROM instance WHERE instance.directory > step.directory)
        FROM step WHERE step.directory IS NOT NULL
    )
    SELECT directory FROM step WHERE directory IS NOT NULL";

impl Index {
    /// The directories of objects that rows name, in order of their names.
    pub async fn directories(&self) -> Result<Vec<String>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(DIRECTORIES).fetch_all(&mut *reader).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
