using System.Numerics;

namespace Aries.OnnxRuntime;

/// <summary>How <see cref="GenAIModelWriter"/> writes a model.</summary>
/// <threadsafety>Not thread-safe while it is being changed; what it is given to copies it.</threadsafety>
public sealed record GenAIModelOptions
{
    /// <summary>Gets or sets the type of floats.</summary>
    /// <value>The default is <see cref="OnnxFloatType.Float32"/>.</value>
    public OnnxFloatType FloatType { get; set; }

    /// <summary>Gets or sets whether the projections and the output head are stored in four bits, in blocks that share a scale.</summary>
    /// <value>The default is false. The embedding and the norms keep <see cref="FloatType"/>.</value>
    public bool UsesFourBitWeights { get; set; }

    /// <summary>Gets or sets how many values of a row share a scale in four bits.</summary>
    /// <value>A power of two from 16 to 256. The default is 32. Smaller is more exact and larger on disk.</value>
    public int BlockSize { get; set; } = 32;

    /// <summary>Gets or sets the projections that a LoRA adapter can change: the graph gets two optional inputs for each.</summary>
    /// <value>The default is <see cref="LoraProjections.None"/>: the model takes no adapter. Without an adapter the inputs change nothing but cost a little time.</value>
    public LoraProjections AdapterTargets { get; set; }

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it.</exception>
    public void Validate()
    {
        if (!Enum.IsDefined(FloatType))
        {
            throw new ArgumentOutOfRangeException(nameof(FloatType), FloatType, "FloatType must be a member of OnnxFloatType.");
        }

        if (BlockSize is < 16 or > 256 || !BitOperations.IsPow2(BlockSize))
        {
            throw new ArgumentOutOfRangeException(nameof(BlockSize), BlockSize, "BlockSize must be 16, 32, 64, 128 or 256.");
        }

        if ((AdapterTargets & ~LoraProjections.All) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(AdapterTargets), AdapterTargets, "AdapterTargets must name projections of LoraProjections, and nothing else.");
        }
    }
}
