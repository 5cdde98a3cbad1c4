namespace Aries;

/// <summary>Loads a checkpoint into an engine.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public interface IPolicyModelLoader
{
    /// <summary>Loads a checkpoint.</summary>
    /// <param name="checkpoint">The weights.</param>
    /// <param name="cancellationToken">Cancels the load.</param>
    /// <returns>The model; the caller disposes it.</returns>
    /// <exception cref="AriesException">The files are missing, malformed or of a kind that this engine does not read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<IPolicyModel> LoadAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default);

    /// <summary>Returns a text that changes if and only if the weights, the tokenizer or the template of a checkpoint change.</summary>
    /// <param name="checkpoint">The weights.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    /// <returns>A hash in hexadecimal; it does not depend on where the files lie.</returns>
    /// <exception cref="AriesException">The files are missing or malformed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<string> GetFingerprintAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default);
}
