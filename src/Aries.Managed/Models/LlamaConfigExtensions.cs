namespace Aries.Managed;

/// <summary>Comparisons of configurations.</summary>
internal static class LlamaConfigExtensions
{
    /// <summary>Returns whether two models compute alike but for their weights: all that they say is equal, but the tokens that begin and end a text.</summary>
    public static bool ComputesLike(this LlamaConfig config, LlamaConfig other) =>
        config with { EndTokenIds = [], BeginTokenId = null } == other with { EndTokenIds = [], BeginTokenId = null };
}
