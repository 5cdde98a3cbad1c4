namespace Aries;

/// <summary>Loads a model on another thread.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal static class ModelLoad
{
    /// <summary>Runs a load, and lets the model go if the token was cancelled meanwhile.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Task<T> RunAsync<T>(Func<T> load, CancellationToken cancellationToken)
        where T : IDisposable => Task.Run(
            () =>
            {
                T model = load();
                if (cancellationToken.IsCancellationRequested)
                {
                    model.Dispose();
                    cancellationToken.ThrowIfCancellationRequested();
                }

                return model;
            },
            cancellationToken);
}
