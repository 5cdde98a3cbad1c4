namespace Aries.Managed;

/// <summary>A token whose log-probability is asked for.</summary>
/// <param name="Row">The row of the batch that predicts it.</param>
/// <param name="Target">The token's id.</param>
internal readonly record struct ScoredItem(int Row, int Target);
