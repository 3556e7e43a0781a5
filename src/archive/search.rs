//! The only way to find: the index answers, no file is opened.

use super::{Archive, Changes};
use crate::domain::instance::Selector;
use crate::domain::level::Level;
use crate::domain::query::{Page, Query};
use crate::domain::restriction::Restriction;
use crate::domain::uid::StudyInstanceUid;
use crate::index::{
    Extent, IndexError, InstanceDetail, InstanceFrames, InstanceRow, InstanceUids, SeriesRow, StudyRow,
};
use futures_util::Stream;
use std::sync::Arc;
use tokio::sync::watch;

impl Archive {
    pub async fn search(&self, query: &Query) -> Result<Page, IndexError> {
        self.shared.index.search(query).await
    }
    /// How many matches a search has, whatever its limit and offset are.
    pub async fn count(&self, query: &Query) -> Result<u64, IndexError> {
        self.shared.index.count(query).await
    }
    /// Whether a study is there for somebody who may see no more than `only`.
    pub async fn shows(&self, only: &Restriction, study: &StudyInstanceUid) -> Result<bool, IndexError> {
        let mut query = Query::new(Level::Study);
        (query.study, query.only, query.limit) = (Some(study.clone()), Some(only.clone()), Some(1));
        Ok(!self.search(&query).await?.rows.is_empty())
    }
    /// The instances of a study or series, or one; by series number, instance number and UID.
    pub async fn instances(&self, selector: &Selector) -> Result<Vec<InstanceRow>, IndexError> {
        self.shared.index.instances(selector).await
    }
    pub async fn instance(&self, selector: &Selector) -> Result<Option<InstanceDetail>, IndexError> {
        self.shared.index.instance(selector).await
    }
    /// Where the frames of one instance are.
    pub async fn frames(&self, selector: &Selector) -> Result<Option<Arc<InstanceFrames>>, IndexError> {
        self.shared.index.frames(selector).await
    }
    /// What there is of `selector` now.
    pub async fn extent(&self, selector: &Selector) -> Result<Option<Extent>, IndexError> {
        self.shared.index.extent(selector).await
    }
    /// The stored DICOM JSON of every instance of `selector` up to the number `newest`, as `Metadata::to_bytes` wrote it.
    pub fn metadata(
        &self,
        selector: &Selector,
        newest: i64,
    ) -> impl Stream<Item = Result<(InstanceUids, Vec<u8>), IndexError>> + Send + 'static + use<> {
        self.shared.index.metadata(selector, newest)
    }
    pub async fn study(&self, study: &StudyInstanceUid) -> Result<Option<StudyRow>, IndexError> {
        self.shared.index.study(study).await
    }
    pub async fn series_of(&self, study: &StudyInstanceUid) -> Result<Vec<SeriesRow>, IndexError> {
        self.shared.index.series_of(study).await
    }
    /// What was stored and deleted after number `since`, for somebody who may see no more than `only`.
    pub async fn changes(&self, since: i64, limit: u32, only: Option<&Restriction>) -> Result<Changes, IndexError> {
        self.shared.index.changes(since, limit, only).await
    }
    /// The number of the last change, as it grows.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.shared.index.committed()
    }
}
