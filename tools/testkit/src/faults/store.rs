//! The decorator: gets the fault of every call from the plan and injects it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

use super::plan::{Failure, Fault, Faults, Operation};

/// Any object store, with injected faults.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    faults: Faults,
}

impl FaultyStore {
    /// Wraps a store with a plan that has no rules yet.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self::with_faults(inner, Faults::default())
    }

    /// Wraps a store with a plan that others may share.
    #[must_use]
    pub fn with_faults(inner: Arc<dyn ObjectStore>, faults: Faults) -> Self {
        Self { inner, faults }
    }

    /// The plan.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// The wrapped store.
    #[must_use]
    pub fn inner(&self) -> &Arc<dyn ObjectStore> {
        &self.inner
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FaultyStore({})", self.inner)
    }
}

/// Injects the fault into one call.
async fn meet<T>(
    fault: Option<Fault>,
    operation: Operation,
    path: &Path,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match fault {
        None => call.await,
        Some(Fault::FailBefore(failure)) => Err(failure.error(operation, path)),
        Some(Fault::CrashBefore) => Err(Failure::Crashed.error(operation, path)),
        // A call that fails by itself keeps its own error.
        Some(Fault::FailAfter(failure)) => call.await.and_then(|_| Err(failure.error(operation, path))),
        Some(Fault::CrashAfter) => call.await.and_then(|_| Err(Failure::Crashed.error(operation, path))),
        Some(Fault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            call.await
        }
        Some(Fault::Hold(gate)) => {
            gate.pass().await;
            call.await
        }
        Some(Fault::Panic) => panic!("injected: a panic at {operation:?} of {path}"),
    }
}

/// Injects the fault into a listing, which can also break off.
fn meet_stream(
    fault: Option<Fault>,
    path: Path,
    items: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let failure = match fault {
        None => return items,
        Some(Fault::FailAfter(failure)) => failure,
        Some(Fault::CrashAfter) => Failure::Crashed,
        fault => {
            let begin = async move { meet(fault, Operation::List, &path, async { Ok(items) }).await };
            return stream::once(begin).try_flatten().boxed();
        }
    };
    // Half of the listing, so that a caller that takes the error for the end is detected.
    let break_off = async move {
        let all: Vec<_> = items.collect().await;
        let half = all.len() / 2;
        stream::iter(all.into_iter().take(half).chain([Err(failure.error(Operation::List, &path))]))
    };
    stream::once(break_off).flatten().boxed()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let fault = self.faults.decide(Operation::Put, location);
        meet(fault, Operation::Put, location, self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let fault = self.faults.decide(Operation::MultipartStart, location);
        let start = self.inner.put_multipart_opts(location, opts);
        let upload = meet(fault, Operation::MultipartStart, location, start).await?;
        Ok(Box::new(FaultyUpload { inner: upload, faults: self.faults.clone(), path: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.faults.decide(Operation::Get, location);
        let failure = match &fault {
            Some(Fault::FailAfter(failure)) => *failure,
            Some(Fault::CrashAfter) => Failure::Crashed,
            _ => return meet(fault, Operation::Get, location, self.inner.get_opts(location, options)).await,
        };
        Ok(break_off(self.inner.get_opts(location, options).await?, failure))
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let fault = self.faults.decide(Operation::Get, location);
        meet(fault, Operation::Get, location, self.inner.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, faults) = (Arc::clone(&self.inner), self.faults.clone());
        locations
            .and_then(move |location| {
                let (inner, faults) = (Arc::clone(&inner), faults.clone());
                async move {
                    let fault = faults.decide(Operation::Delete, &location);
                    meet(fault, Operation::Delete, &location, inner.delete(&location)).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = prefix.cloned().unwrap_or_default();
        let fault = self.faults.decide(Operation::List, &path);
        meet_stream(fault, path, self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = prefix.cloned().unwrap_or_default();
        let fault = self.faults.decide(Operation::List, &path);
        meet_stream(fault, path, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        let fault = self.faults.decide(Operation::List, &path);
        meet(fault, Operation::List, &path, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fault = self.faults.decide(Operation::Copy, from);
        meet(fault, Operation::Copy, from, self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let fault = self.faults.decide(Operation::Rename, from);
        meet(fault, Operation::Rename, from, self.inner.rename_opts(from, to, options)).await
    }
}

/// A response whose body ends half-way with an error.
fn break_off(response: GetResult, failure: Failure) -> GetResult {
    let half = usize::try_from((response.range.end - response.range.start) / 2).unwrap_or(usize::MAX);
    let (meta, range, attributes) = (response.meta.clone(), response.range.clone(), response.attributes.clone());
    let error = failure.error(Operation::Get, &meta.location);
    let mut left = half;
    let body = response
        .into_stream()
        .map_ok(move |chunk: Bytes| {
            let chunk = chunk.slice(..chunk.len().min(left));
            left -= chunk.len();
            chunk
        })
        .try_filter(|chunk| std::future::ready(!chunk.is_empty()))
        .chain(stream::once(async move { Err(error) }))
        .boxed();
    GetResult { payload: GetResultPayload::Stream(body), meta, range, attributes }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    faults: Faults,
    path: Path,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let fault = self.faults.decide(Operation::MultipartPart, &self.path);
        let path = self.path.clone();
        // The part is not started: some stores count it as soon as `put_part` is called.
        if matches!(fault, Some(Fault::FailBefore(_) | Fault::CrashBefore)) {
            return Box::pin(async move { meet(fault, Operation::MultipartPart, &path, async { Ok(()) }).await });
        }
        let part = self.inner.put_part(data);
        Box::pin(async move { meet(fault, Operation::MultipartPart, &path, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fault = self.faults.decide(Operation::MultipartComplete, &self.path);
        meet(fault, Operation::MultipartComplete, &self.path, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        // A crashed process does not abort its uploads.
        if self.faults.crashed() {
            return Err(Failure::Crashed.error(Operation::MultipartComplete, &self.path));
        }
        self.inner.abort().await
    }
}
