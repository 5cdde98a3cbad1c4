namespace Aries;

/// <summary>Keeps at most one policy loaded: an evaluation and the next round's collection share it, a training has the memory to itself.</summary>
internal sealed class PolicyHolder(IPolicyModelLoader loader) : IDisposable
{
    private PolicyCheckpoint? _checkpoint;
    private IPolicyModel? _policy;

    public async Task<IPolicyModel> GetAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        if (_policy is null || _checkpoint != checkpoint)
        {
            Release();
            _policy = await loader.LoadAsync(checkpoint, cancellationToken).ConfigureAwait(false);
            _checkpoint = checkpoint;
        }

        return _policy;
    }

    public void Release()
    {
        _policy?.Dispose();
        (_policy, _checkpoint) = (null, null);
    }

    public void Dispose() => Release();
}
