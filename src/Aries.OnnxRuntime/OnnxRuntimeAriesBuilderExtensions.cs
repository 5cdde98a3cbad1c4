using Aries.OnnxRuntime;

namespace Aries;

/// <summary>Adds ONNX Runtime to Aries.</summary>
/// <threadsafety>Calls for one builder must follow each other.</threadsafety>
public static class OnnxRuntimeAriesBuilderExtensions
{
    /// <summary>Makes a model folder that plain ONNX Runtime runs the policy.</summary>
    /// <remarks>The model is loaded at its first use; a container that is disposed disposes it.</remarks>
    /// <param name="builder">The builder.</param>
    /// <param name="folder">A folder of ONNX Runtime GenAI, such as <see cref="GenAIModelWriter"/> writes.</param>
    /// <param name="configure">Changes the options of the model, or null for the defaults.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null or empty, or an option is outside its range.</exception>
    public static IAriesBuilder AddOnnxRuntime(this IAriesBuilder builder, string folder, Action<OnnxRuntimePolicyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        OnnxRuntimePolicyOptions options = new();
        configure?.Invoke(options);
        options.Validate();

        // The model is made at its first use; what the caller does to the options until then must not reach it.
        OnnxRuntimePolicyOptions policy = options with { };
        return builder.UsePolicy(_ => OnnxRuntimePolicyModel.Load(folder, policy));
    }

    /// <summary>Makes a reward model that plain ONNX Runtime runs the scorer.</summary>
    /// <remarks>The model is loaded at its first use; a container that is disposed disposes it.</remarks>
    /// <param name="builder">The builder.</param>
    /// <param name="folder">The folder of a sequence-classification model: <see cref="OnnxRewardScorer"/>.</param>
    /// <param name="configure">Changes the options of the scorer, or null for the defaults.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null or empty, or an option is outside its range.</exception>
    public static IAriesBuilder AddOnnxReward(this IAriesBuilder builder, string folder, Action<OnnxRewardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        OnnxRewardOptions options = new();
        configure?.Invoke(options);
        options.Validate();
        OnnxRewardOptions scorer = options with { };
        return builder.UseScorer(_ => OnnxRewardScorer.Load(folder, scorer));
    }
}
