//! The rooms, built once and in order: index, archive, access; closed in reverse.

use super::{SelfCheck, StartError};
use crate::access::Access;
use crate::access::bearer::Tokens;
use crate::access::oidc::Oidc;
use crate::access::package::Packages;
use crate::access::reads::Reads;
use crate::archive::{Archive, ArchiveSettings, DataDirLock};
use crate::audit::{Actor, Event, Kind};
use crate::config::{self, Config};
use crate::domain::clock::Clock;
use crate::imaging::Imaging;
use crate::index::{Index, IndexSettings};
use crate::scp::Scp;
use crate::store::Disk;
use crate::web::dicomweb::Uploads;
use crate::web::ohif::Viewer;
use crate::web::ops::Readiness;
use crate::web::patient::{PatientParts, PatientWeb};
use crate::web::{self, Web, WebParts};
use metrics_exporter_prometheus::PrometheusHandle;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;

pub(super) struct Rooms {
    pub index: Index,
    pub archive: Archive,
    pub access: Access,
    packages: Packages,
    imaging: Imaging,
    oidc: Option<Oidc>,
    clock: Clock,
}

impl Rooms {
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let clock = Clock::system();
        let oidc = config.web.oidc.clone().map(|oidc| Oidc::open(oidc, clock.clone())).transpose()?;
        // Claimed before the index is opened: two daemons must not migrate one file.
        let lock = DataDirLock::take(&config.data_dir)?;
        let settings = IndexSettings { search_timeout: config.limits.search_timeout.get(), ..IndexSettings::default() };
        let index = Index::open(&config.data_dir, settings, clock.clone()).await?;
        let settings = ArchiveSettings {
            data_dir: config.data_dir.clone(),
            storage: config.storage.clone(),
            limits: config.limits.clone(),
            disk: Disk::default(),
            lock: Some(lock),
        };
        let (archive, report) = Archive::start(settings, index.clone(), clock.clone()).await?;
        tracing::info!("{report}");
        let access = Access::open(
            &config.data_dir,
            config.link.clone(),
            &config.patient.public_url,
            index.clone(),
            clock.clone(),
        )?;
        let packages =
            Packages::new(archive.clone(), index.clone(), config.facility.clone(), &config.limits, clock.clone());
        let imaging = Imaging::new(archive.clone(), &config.limits);
        Ok(Self { index, archive, access, packages, imaging, oidc, clock })
    }

    pub fn scp(&self, config: &Config, self_check: &SelfCheck) -> Arc<Scp> {
        let calling = self_check.calling_ae_title().clone();
        Scp::new(config.dicom.clone(), &config.limits, self.archive.clone(), Some(calling))
    }

    pub fn web(&self, config: &Config, readiness: Readiness, metrics: PrometheusHandle) -> Web {
        self.web_as(config.web.clone(), config, readiness, metrics)
    }

    fn web_as(&self, web: config::Web, config: &Config, readiness: Readiness, metrics: PrometheusHandle) -> Web {
        Web::new(WebParts {
            archive: self.archive.clone(),
            access: self.access.clone(),
            packages: self.packages.clone(),
            imaging: self.imaging.clone(),
            tokens: Tokens::new(self.index.clone(), self.clock.clone()),
            reads: Reads::new(self.index.clone()),
            uploads: Uploads::new(&config.limits),
            waiters: Semaphore::new(config.limits.change_waiters as usize),
            ae_title: config.dicom.ae_title.clone(),
            viewer: web.ohif_dir.as_deref().and_then(Viewer::open).map(Arc::new),
            oidc: self.oidc.clone().filter(|_| web.oidc.is_some()),
            config: web,
            limits: config.limits.clone(),
            clock: self.clock.clone(),
            metrics,
            readiness,
        })
    }

    pub fn oidc(&self) -> Option<Oidc> {
        self.oidc.clone()
    }

    /// What `[patient]` serves: its pages, and the archive behind them for readers whom they let in.
    pub fn patient(&self, config: &Config, readiness: Readiness, metrics: PrometheusHandle) -> PatientWeb {
        let alone = config::Web { anonymous: config::Anonymous::Nobody, ..config::Web::default() };
        let share = self.web_as(alone, config, readiness, metrics);
        PatientWeb::new(PatientParts {
            access: self.access.clone(),
            imaging: self.imaging.clone(),
            packages: self.packages.clone(),
            facility: config.facility.clone(),
            patient: config.patient.clone(),
            link: config.link.clone(),
            limits: config.limits.clone(),
            clock: self.clock.clone(),
            share: web::share_router(share),
        })
    }

    pub async fn record(&self, kind: Kind) -> Result<(), StartError> {
        Ok(self.index.append(&Event::new(kind, Actor::System)).await?)
    }

    pub async fn close(self) -> Result<(), StartError> {
        self.archive.stop().await;
        Ok(self.index.close().await?)
    }
}

/// Makes the folder (0700) or refuses one that others can write to.
pub(super) fn prepare_data_dir(path: &Path) -> Result<(), StartError> {
    let wrong = |sentence: String| StartError::DataDir { path: path.to_path_buf(), sentence };
    match std::fs::metadata(path) {
        Ok(folder) if !folder.is_dir() => Err(wrong("is not a folder; name another data_dir".into())),
        Ok(folder) if folder.permissions().mode() & 0o022 != 0 => {
            Err(wrong(format!("can be written by others; run: chmod 700 {}", path.display())))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => std::fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(path)
            .map_err(|error| wrong(format!("cannot be made ({error}); make it, or name another data_dir"))),
        Err(error) => Err(wrong(format!("cannot be read ({error})"))),
    }
}
