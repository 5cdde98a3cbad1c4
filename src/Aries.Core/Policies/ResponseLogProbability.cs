namespace Aries;

/// <summary>The score of one response under a policy.</summary>
/// <param name="Sum">Σ log π(token | …), in nats; 0 or less, −∞ where the policy rules a token out.</param>
/// <param name="TokenIds">The tokens that were scored. Shape [T].</param>
/// <param name="TokenLogProbabilities">The term of each token, in nats. Shape [T].</param>
/// <threadsafety>Immutable.</threadsafety>
public sealed record ResponseLogProbability(double Sum, IReadOnlyList<int> TokenIds, IReadOnlyList<float> TokenLogProbabilities);
