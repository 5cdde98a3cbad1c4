using Aries.OnnxRuntimeGenAI;

namespace Aries;

/// <summary>Adds ONNX Runtime GenAI to Aries.</summary>
/// <threadsafety>Calls for one builder must follow each other.</threadsafety>
public static class OnnxRuntimeGenAIAriesBuilderExtensions
{
    /// <summary>Makes a model folder that ONNX Runtime GenAI runs the policy.</summary>
    /// <remarks>The model is loaded at its first use; a container that is disposed disposes it.</remarks>
    /// <param name="builder">The builder.</param>
    /// <param name="folder">A folder of ONNX Runtime GenAI, with <c>genai_config.json</c>.</param>
    /// <param name="configure">Changes the options of the model, or null for the defaults.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null or empty, or an option is outside its range.</exception>
    public static IAriesBuilder AddOnnxRuntimeGenAI(this IAriesBuilder builder, string folder, Action<GenAIPolicyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        GenAIPolicyOptions options = new();
        configure?.Invoke(options);
        options.Validate();

        // The model is made at its first use; what the caller does to the options until then must not reach it.
        GenAIPolicyOptions policy = options.Copy();
        return builder.UsePolicy(_ => GenAIPolicyModel.Load(folder, policy));
    }
}
