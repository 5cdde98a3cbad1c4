using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Aries;

/// <summary>Lets the calls of one model compute one after the other, on threads of the pool, and streams what a call writes.</summary>
/// <threadsafety>Every member may be called concurrently. Dispose it when no call runs.</threadsafety>
internal sealed class EngineQueue : IDisposable
{
    private readonly SemaphoreSlim _gate;
    private readonly bool _ownsGate;

    /// <summary>Creates the queue of a model.</summary>
    /// <param name="gate">The gate of many models that must not compute at once, which stays its owner's; null where the model waits for nobody but itself.</param>
    public EngineQueue(SemaphoreSlim? gate = null) => (_gate, _ownsGate) = (gate ?? new SemaphoreSlim(1, 1), gate is null);

    /// <summary>Runs a computation when those before it have ended.</summary>
    public async Task<T> RunAsync<T>(Func<T> compute, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await Task.Run(compute, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Runs a computation that writes a response, and gives its text as it comes.</summary>
    /// <param name="generate">Tells each piece of text to its first argument, looks at its second once a token, and returns the whole response.</param>
    /// <param name="cancellationToken">Ends the stream by an exception.</param>
    public async IAsyncEnumerable<ResponseUpdate> StreamAsync(
        Func<Action<string>, CancellationToken, Response> generate, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using CancellationTokenSource abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Unbounded: a slow reader must not hold the engine, and a response has an end.
        Channel<string> texts = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        Task<Response> generation = RunAsync(() => generate(text => texts.Writer.TryWrite(text), abandoned.Token), abandoned.Token);
        _ = generation.ContinueWith(_ => texts.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

        try
        {
            await foreach (string text in texts.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                // Text that is here already must not let a cancelled stream end as if finished.
                cancellationToken.ThrowIfCancellationRequested();
                yield return new ResponseUpdate { Text = text };
            }

            Response response = await generation.ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            yield return new ResponseUpdate { Text = "", Response = response };
        }
        finally
        {
            // A reader that breaks off ends the generation, and the engine is free when its loop is left. A failure that nobody waits for any more is looked at, so that it counts as observed.
            await abandoned.CancelAsync().ConfigureAwait(false);
            await generation.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        if (_ownsGate)
        {
            _gate.Dispose();
        }
    }
}
