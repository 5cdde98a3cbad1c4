namespace Aries;

/// <summary>Short forms of what <see cref="IPolicyModel"/> offers.</summary>
public static class PolicyModelExtensions
{
    /// <summary>Answers one prompt.</summary>
    /// <param name="policy">The model.</param>
    /// <param name="prompt">What is asked.</param>
    /// <param name="options">How tokens are drawn; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at once a token at least.</param>
    /// <exception cref="ArgumentException">An argument is null or outside its range.</exception>
    public static async Task<Response> GenerateAsync(
        this IPolicyModel policy, Prompt prompt, SamplingOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        IReadOnlyList<Response> responses = await policy.GenerateAsync([new GenerationRequest(prompt, options)], cancellationToken).ConfigureAwait(false);
        return responses[0];
    }

    /// <summary>Returns another face of a model, or null.</summary>
    /// <typeparam name="TService">The type asked for.</typeparam>
    /// <param name="policy">The model.</param>
    public static TService? GetService<TService>(this IPolicyModel policy)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(policy);
        return policy.GetService(typeof(TService)) as TService;
    }
}
