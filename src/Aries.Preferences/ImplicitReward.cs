namespace Aries.Preferences;

/// <summary>How a loss turns log-probabilities into the rewards that the metrics report.</summary>
/// <remarks>
/// reward(y) = β · (log πθ(y|x) − log πref(y|x)), without the second term where <see cref="IPreferenceLoss.NeedsReference"/> is false, divided by the response's tokens where
/// <paramref name="LengthAveraged"/> is true. Rafailov et al. 2023, <see href="https://arxiv.org/abs/2305.18290"/>, Eq. 5 without its partition function, which cancels in a margin.
/// </remarks>
/// <param name="Beta">β; dimensionless, finite and greater than 0.</param>
/// <param name="LengthAveraged">Whether log-probabilities are divided by the response's tokens.</param>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public readonly record struct ImplicitReward(double Beta, bool LengthAveraged = false);
