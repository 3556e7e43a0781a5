//! Which version of a package is served, and when a new one is frozen.

use super::build::{self, Most};
use super::error::PackageError;
use super::frozen::Frozen;
use super::{Package, Scope};
use crate::archive::Archive;
use crate::config::{Facility, Limits};
use crate::domain::clock::Clock;
use crate::index::packages::{FrozenPackage, NewPackage};
use crate::index::{Index, StudyRow};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a study must have been left alone before its change makes a new version: a scanner that is
/// still sending would make one a second.
const QUIET_MS: i64 = 60_000;
/// Bytes of versions held in memory, so that a range costs no row; the newest is held whatever it weighs.
const HELD_BYTES: usize = 64 << 20;

/// Makes packages, and finds those made before. Clones share it.
#[derive(Clone)]
pub struct Packages {
    inner: Arc<Inner>,
}

struct Inner {
    archive: Archive,
    index: Index,
    clock: Clock,
    facility: Facility,
    most: Most,
    /// One version is computed at a time.
    building: tokio::sync::Mutex<()>,
    held: Mutex<VecDeque<(String, Arc<Package>)>>,
    places: Arc<Semaphore>,
}

impl Packages {
    pub fn new(archive: Archive, index: Index, facility: Facility, limits: &Limits, clock: Clock) -> Self {
        let most = Most { files: limits.package_files, bytes: limits.package_size.get() };
        let held = Mutex::new(VecDeque::new());
        let places = Arc::new(Semaphore::new(limits.downloads as usize));
        let building = tokio::sync::Mutex::new(());
        let inner = Inner { archive, index, clock, facility, most, building, held, places };
        Self { inner: Arc::new(inner) }
    }

    /// The version to offer now: the newest, or a new one when a study has changed and been quiet for
    /// 60 s. While studies still change, the last version stays; when there is none, what is there is frozen.
    pub async fn current(&self, scope: &Scope) -> Result<Arc<Package>, PackageError> {
        let studies = self.studies(scope).await?;
        if scope.part.is_some() {
            return self.part(scope, studies).await;
        }
        let revisions = build::revisions(&studies);
        let busy = studies
            .iter()
            .map(|row| row.last_change_ms)
            .max()
            .is_some_and(|last| self.inner.clock.now_ms().saturating_sub(last) < QUIET_MS);
        // A version that holds a study which is no longer in the scope is not served, changes or not.
        let serves = |last: &FrozenPackage| last.revisions == revisions || (busy && within(&last.revisions, scope));
        if let Some(last) = self.latest(scope).await?.filter(serves) {
            return self.open(scope, last).await;
        }
        let _building = self.inner.building.lock().await;
        if let Some(last) = self.latest(scope).await?.filter(serves) {
            return self.open(scope, last).await;
        }
        let frozen = self.freeze(scope, studies).await?;
        let (frozen, blob, etag) = build::blocking(move || {
            let (blob, etag) = (frozen.to_blob()?, frozen.etag());
            Ok((frozen, blob, etag))
        })
        .await?;
        let new = NewPackage { scope: &scope.key, revisions: &revisions, etag: &etag, files: &blob };
        let stored = self.inner.index.keep_package(new).await.map_err(PackageError::archive)?;
        self.hold(scope, stored, move || Ok(frozen)).await
    }

    /// A version frozen earlier, for a download that goes on: the one whose entity tag `is` accepts.
    pub async fn frozen(&self, scope: &Scope, is: impl Fn(&str) -> bool) -> Result<Arc<Package>, PackageError> {
        if let Some(part) = &scope.part {
            let package = self.held_of(scope, |package| is(&package.etag)).ok_or(PackageError::VersionGone)?;
            // A version that holds an instance which was deleted is not served.
            let rows = self.inner.archive.instances(part).await.map_err(PackageError::archive)?;
            let there: HashSet<&str> = rows.iter().map(|row| row.file.path.as_str()).collect();
            return if package.files().all(|path| there.contains(path)) {
                Ok(package)
            } else {
                Err(PackageError::VersionGone)
            };
        }
        let kept = self.inner.index.packages(&scope.key).await.map_err(PackageError::archive)?;
        let wanted = kept.into_iter().find(|version| is(&version.etag)).ok_or(PackageError::VersionGone)?;
        if !within(&wanted.revisions, scope) {
            return Err(PackageError::VersionGone);
        }
        self.open(scope, wanted).await
    }

    /// The package of a series or an instance. It is not kept in the index, where there would be one for every
    /// instance in the end: as long as its study does not change it comes out the same each time, after a
    /// restart too. Versions that were sent lately are held in memory.
    async fn part(&self, scope: &Scope, studies: Vec<StudyRow>) -> Result<Arc<Package>, PackageError> {
        let (revision, last_change_ms) =
            studies.first().map(|row| (row.revision, row.last_change_ms)).ok_or(PackageError::Empty)?;
        let revisions = build::revisions(&studies);
        // A study that was deleted and came again begins to count anew.
        let same = |package: &Package| package.version == revision && package.created_at_ms == last_change_ms;
        let held = || self.held_of(scope, same);
        if let Some(package) = held() {
            return Ok(package);
        }
        let _building = self.inner.building.lock().await;
        if let Some(package) = held() {
            return Ok(package);
        }
        let frozen = self.freeze(scope, studies).await?;
        let etag = frozen.etag();
        let version = FrozenPackage { version: revision, revisions, etag, created_at_ms: last_change_ms };
        self.hold(scope, version, move || Ok(frozen)).await
    }

    async fn freeze(&self, scope: &Scope, studies: Vec<StudyRow>) -> Result<Frozen, PackageError> {
        build::freeze(&self.inner.archive, &self.inner.facility, self.inner.most, scope, studies).await
    }

    async fn studies(&self, scope: &Scope) -> Result<Vec<StudyRow>, PackageError> {
        let mut rows = Vec::with_capacity(scope.studies.len());
        for study in &scope.studies {
            rows.extend(self.inner.archive.study(study).await.map_err(PackageError::archive)?);
        }
        if rows.is_empty() { Err(PackageError::Empty) } else { Ok(rows) }
    }

    async fn latest(&self, scope: &Scope) -> Result<Option<FrozenPackage>, PackageError> {
        let kept = self.inner.index.packages(&scope.key).await.map_err(PackageError::archive)?;
        Ok(kept.into_iter().next())
    }

    async fn open(&self, scope: &Scope, version: FrozenPackage) -> Result<Arc<Package>, PackageError> {
        if let Some(package) = self.held_of(scope, |package| package.etag == version.etag) {
            return Ok(package);
        }
        let blob = self.inner.index.package_files(&scope.key, version.version).await.map_err(PackageError::archive)?;
        let blob = blob.ok_or(PackageError::VersionGone)?;
        self.hold(scope, version, move || Frozen::from_blob(&blob)).await
    }

    async fn hold(
        &self,
        scope: &Scope,
        version: FrozenPackage,
        frozen: impl FnOnce() -> Result<Frozen, PackageError> + Send + 'static,
    ) -> Result<Arc<Package>, PackageError> {
        let studies = build::studies_of(&version.revisions);
        let archive = self.inner.archive.clone();
        let package = build::blocking(move || {
            let package = Package::new(archive, version.version, version.created_at_ms, studies, frozen()?)?;
            // What was frozen is what is served, or nothing is.
            if package.etag == version.etag { Ok(Arc::new(package)) } else { Err(PackageError::Frozen) }
        })
        .await?;
        self.held(|held| {
            held.retain(|(key, other)| *key != scope.key || other.version != package.version);
            held.push_front((scope.key.clone(), package.clone()));
            keep_within(held, HELD_BYTES, |(_, package)| package.weight());
        });
        Ok(package)
    }

    /// One of the `limits.downloads` places, for as long as bytes are sent; `None` when all are taken.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inner.places).try_acquire_owned().ok()
    }

    fn held_of(&self, scope: &Scope, is: impl Fn(&Package) -> bool) -> Option<Arc<Package>> {
        self.held(|held| {
            held.iter().find(|(key, package)| *key == scope.key && is(package)).map(|(_, package)| package.clone())
        })
    }

    fn held<T>(&self, with: impl FnOnce(&mut VecDeque<(String, Arc<Package>)>) -> T) -> T {
        with(&mut self.inner.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Drops what is last until the rest weighs no more than `most`; the first stays.
fn keep_within<T>(held: &mut VecDeque<T>, most: usize, weight: impl Fn(&T) -> usize) {
    let mut sum = 0_usize;
    let fits = held.iter().take_while(|one| {
        sum = sum.saturating_add(weight(one));
        sum <= most
    });
    let kept = fits.count().max(1);
    held.truncate(kept);
}

/// Whether every study of a version is in the scope.
fn within(revisions: &str, scope: &Scope) -> bool {
    build::studies_of(revisions).iter().all(|study| scope.studies.contains(study))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_by_its_bytes_and_the_newest_stays() {
        for (weights, expected) in
            [(vec![1, 2, 3], 3), (vec![5, 5, 1], 2), (vec![11, 1], 1), (vec![], 0), (vec![0; 50], 50)]
        {
            let mut held = VecDeque::from(weights);
            keep_within(&mut held, 10, |weight| *weight);
            assert_eq!(held.len(), expected);
        }
    }
}
