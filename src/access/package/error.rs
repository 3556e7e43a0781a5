//! Why there is no package.

#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// None of the studies holds an instance.
    #[error("there is nothing to download")]
    Empty,
    #[error("the package would hold more than {max} files")]
    TooManyFiles { max: u32 },
    #[error("the package would be larger than {max} bytes")]
    TooLarge { max: u64 },
    /// A version that was frozen is no longer kept.
    #[error("this version of the package is gone")]
    VersionGone,
    #[error("the frozen files of the package cannot be read")]
    Frozen,
    /// DICOMDIR counts in 32 bits.
    #[error("the directory of the package would be too large")]
    Directory,
    #[error("the package could not be computed or recorded")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PackageError {
    pub(super) fn archive(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Archive(Box::new(error))
    }
}
