//! The locks of this crate. They ignore poisoning.
//!
//! A lock of the standard library is poisoned when a thread panics while it holds the lock. Here no foreign code runs
//! under a lock, and every change under a lock is one step, so the data is consistent even then. If the
//! next thread panicked as well, one fault would end the whole node.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
    },
};

/// A mutex.
#[derive(Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, for its only holder.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if another thread holds the lock.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A lock that many readers or one writer can hold.
#[derive(Default)]
pub(crate) struct SharedLock<T>(RwLock<T>);

impl<T> SharedLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{panic, thread};

    use super::*;

    #[test]
    fn a_panic_of_a_holder_does_not_poison() {
        let (lock, shared) = (Lock::new(1), SharedLock::<i32>::default());
        thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let (_held, _written) = (lock.lock(), shared.write());
                panic::resume_unwind(Box::new(()));
            });
            assert!(holder.join().is_err());
        });
        *lock.lock() += 1;
        *shared.write() += 1;
        assert_eq!((lock.try_lock().as_deref(), *shared.read()), (Some(&2), 1));
        let _held = lock.lock();
        assert!(lock.try_lock().is_none());
    }
}
