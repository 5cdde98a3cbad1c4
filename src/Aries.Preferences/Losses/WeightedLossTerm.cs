namespace Aries.Preferences;

/// <summary>One term of a <see cref="WeightedLoss"/>.</summary>
/// <param name="Loss">The loss.</param>
/// <param name="Weight">Its weight; dimensionless, finite and greater than 0.</param>
/// <threadsafety>Immutable; every member may be called concurrently.</threadsafety>
public readonly record struct WeightedLossTerm(IPreferenceLoss Loss, double Weight);
