//! The only way out: stored bytes, whole or in part.

use super::{Archive, RetrieveError};
use crate::domain::instance::StoredFile;
use crate::store::StoredReader;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// How much is read at once: large enough that the copy outweighs the call, small enough for 256 readers.
const CHUNK: usize = 256 * 1024;

impl Archive {
    /// Opens an instance file. The file system is asked in the calling task: it is one look at a name.
    pub async fn open(&self, file: &StoredFile) -> Result<InstanceFile, RetrieveError> {
        let reader = match self.shared.store.read(&file.path) {
            Err(error) if error.cause.kind() == io::ErrorKind::NotFound => return Err(self.gone(file).await),
            outcome => outcome?,
        };
        if reader.size_bytes() != file.size_bytes {
            return Err(RetrieveError::Damaged);
        }
        Ok(InstanceFile::new(reader))
    }

    /// Why a file is not there.
    async fn gone(&self, file: &StoredFile) -> RetrieveError {
        match self.shared.index.names_file(&file.path).await {
            Ok(false) => RetrieveError::Deleted,
            Ok(true) => RetrieveError::Damaged,
            Err(error) => RetrieveError::Index(Arc::new(error)),
        }
    }
}

/// One stored instance file: preamble, file meta, the data set as received. Clones share the open file.
#[derive(Debug, Clone)]
pub struct InstanceFile {
    reader: Arc<StoredReader>,
}

impl InstanceFile {
    pub(super) fn new(reader: StoredReader) -> Self {
        Self { reader: Arc::new(reader) }
    }
    pub fn size_bytes(&self) -> u64 {
        self.reader.size_bytes()
    }
    /// The bytes of `range`, counted from the first byte of the file, in chunks of at most 256 KiB. A
    /// file that ends early is an error (`UnexpectedEof`), never a short answer.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static + use<> {
        let start = Reading { reader: self.reader.clone(), buffer: BytesMut::new(), at: range.start, end: range.end };
        futures_util::stream::unfold(start, |mut reading| async move {
            if reading.at >= reading.end {
                return None;
            }
            let chunk = reading.next().await;
            if chunk.is_err() {
                reading.at = reading.end;
            }
            Some((chunk, reading))
        })
    }
    /// The bytes of `range` in one piece; refused when they are more than `cap`.
    pub async fn read_exact_at(&self, range: Range<u64>, cap: usize) -> Result<Bytes, RetrieveError> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| RetrieveError::TooLarge)?;
        if length > cap {
            return Err(RetrieveError::TooLarge);
        }
        if range.end > self.size_bytes() {
            return Err(RetrieveError::Damaged);
        }
        let mut whole = BytesMut::with_capacity(length);
        let mut reading =
            Reading { reader: self.reader.clone(), buffer: BytesMut::new(), at: range.start, end: range.end };
        while reading.at < reading.end {
            whole.extend_from_slice(&reading.next().await.map_err(damaged)?);
        }
        Ok(whole.freeze())
    }
}

fn damaged(error: io::Error) -> RetrieveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => RetrieveError::Damaged,
        _ => crate::store::StoreError::reading(error).into(),
    }
}

/// Where a stream stands. The buffer is taken back when the receiver has dropped the chunk before.
struct Reading {
    reader: Arc<StoredReader>,
    buffer: BytesMut,
    at: u64,
    end: u64,
}

impl Reading {
    async fn next(&mut self) -> io::Result<Bytes> {
        let wanted = usize::try_from(self.end - self.at).unwrap_or(CHUNK).min(CHUNK);
        self.buffer.clear();
        self.buffer.resize(wanted, 0);
        // A short cached read is taken as it is: the rest comes with the next chunk.
        let read = match self.reader.read_cached(&mut self.buffer, self.at) {
            Some(read) => read,
            None => {
                let (reader, at) = (self.reader.clone(), self.at);
                let mut buffer = std::mem::take(&mut self.buffer);
                let (buffer, read) = tokio::task::spawn_blocking(move || {
                    let read = reader.read_at(&mut buffer, at);
                    (buffer, read)
                })
                .await
                .map_err(io::Error::other)?;
                self.buffer = buffer;
                read?
            }
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(self.buffer.split_to(read).freeze())
    }
}
