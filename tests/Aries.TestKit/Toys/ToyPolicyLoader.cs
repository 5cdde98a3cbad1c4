using System.Globalization;

namespace Aries.TestKit;

/// <summary>Loads <see cref="ToyCheckpoint"/>s: policies whose answers depend on weights, prompt, sampling and seed, and on nothing else.</summary>
/// <param name="batchDelay">How long a batch takes, so that a process can be stopped in the middle.</param>
public sealed class ToyPolicyLoader(TimeSpan batchDelay = default) : IPolicyModelLoader
{
    private int _loadedCount;

    /// <summary>Gets the checkpoints that were loaded, oldest first.</summary>
    public List<PolicyCheckpoint> Loads { get; } = [];

    /// <summary>Gets how many loaded models are not disposed yet.</summary>
    public int LoadedCount => _loadedCount;

    /// <summary>Gets or sets what each batch of requests goes through before it is answered; it may throw.</summary>
    public Action<IReadOnlyList<GenerationRequest>>? OnBatch { get; set; }

    /// <summary>Gets or sets what changes a response before it is returned; null for none.</summary>
    public Func<GenerationRequest, Response, Response>? Rewrite { get; set; }

    /// <inheritdoc />
    public Task<IPolicyModel> LoadAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        Loads.Add(checkpoint);
        _loadedCount++;
        return Task.FromResult<IPolicyModel>(new Model(this, ToyCheckpoint.Read(checkpoint)));
    }

    /// <inheritdoc />
    public Task<string> GetFingerprintAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default) =>
        Task.FromResult(ToyCheckpoint.Read(checkpoint).ToString("x16", CultureInfo.InvariantCulture));

    private sealed class Model(ToyPolicyLoader owner, ulong weights) : IPolicyModel
    {
        private bool _disposed;

        public async Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            cancellationToken.ThrowIfCancellationRequested();
            owner.OnBatch?.Invoke(requests);
            if (owner.BatchDelay > TimeSpan.Zero)
            {
                await Task.Delay(owner.BatchDelay, cancellationToken);
            }

            return [.. requests.Select(Answer)];
        }

        public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(
            GenerationRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            Response response = (await GenerateAsync([request], cancellationToken))[0];
            yield return new ResponseUpdate { Text = response.Text, Response = response };
        }

        public void Dispose()
        {
            owner._loadedCount -= _disposed ? 0 : 1;
            _disposed = true;
        }

        private Response Answer(GenerationRequest request)
        {
            ulong drawn = ToyCheckpoint.Mix(weights ^ (request.Options.IsGreedy ? 0 : (ulong)(request.Options.Seed ?? 0)), request.Prompt.ToString());
            int wordCount = 2 + (int)(drawn % 4);
            string text = string.Join(' ', Enumerable.Range(0, wordCount).Select(word => ToyCheckpoint.Mix(drawn + (ulong)word) % 10));
            Response response = new()
            {
                Text = text,
                FinishReason = FinishReason.Stop,
                Usage = new TokenUsage(request.Prompt.Question.Length, wordCount + 1),
            };
            return owner.Rewrite?.Invoke(request, response) ?? response;
        }
    }

    private TimeSpan BatchDelay => batchDelay;
}
